/** Roots of a notary-server that holders' tokens signed in a ceremony: taken by the real server, followed by the real client. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Enrolment } from '../../src/ceremony/enrolment.js';
import { closeCeremony } from '../../src/ceremony/closing.js';
import type { Preparation } from '../../src/ceremony/preparing.js';
import { notarySpki, type NotaryKey } from '../../src/formats/notary1/key.js';
import { envelopeOf, signedBytesOf } from '../../src/formats/notary1/writer.js';
import { EMPTY_TARGETS } from '../../src/trust/draft.js';
import { TrustServer } from '../../src/trust/server.js';
import { CeremonyRoom } from '../support/ceremony-room.js';
import { NotaryClient } from '../support/notary-client.js';
import { openedSession, prepared, waive } from '../support/paper-ceremony.js';
import { rejectionOf } from '../support/rejection.js';
import { TEST_POLICY } from '../support/software-holder.js';
import { SoftHsmStore } from '../support/softhsm-store.js';
import { SoftwareSigner } from '../support/software-signer.js';
import { TempFolder } from '../support/temp-folder.js';
import { TrustStack } from '../support/trust-stack.js';

const GUN = 'localhost:5000/ceremony/app';
const DOCUMENT = { id: `${GUN}#root`, format: 'notary1', role: 'root', authority: null } as const;
const DAY_MS = 86_400_000;
// The stock client knows no day but today.
const NOW = Date.now();
const EXPIRES = second(NOW + 400 * DAY_MS);

let temp: TempFolder;
let stack: TrustStack;
let room: CeremonyRoom;
const stores = new Map(['alice', 'bob', 'carol'].map((name) => [name, new SoftHsmStore(name)]));

beforeAll(async () => {
  temp = new TempFolder();
  stack = await TrustStack.start();
  room = await CeremonyRoom.open(stores);
});
afterAll(async () => {
  await room[Symbol.asyncDispose]();
  await stack[Symbol.asyncDispose]();
  for (const store of stores.values()) store[Symbol.dispose]();
  temp[Symbol.dispose]();
});

/** RFC 3339, whole seconds. */
function second(milliseconds: number): string {
  return new Date(milliseconds).toISOString().replace(/\.\d+Z$/, 'Z');
}

/** What a ceremony leaves: the file for the server, and what the next one begins with. */
interface Played {
  readonly root: Buffer;
  readonly policy: Preparation['policy'];
  readonly transcript: Buffer;
}

/** Prepared, signed by these holders with their tokens, and closed. */
async function play(
  order: Pick<Preparation, 'id' | 'action' | 'enrolments' | 'signers'> &
    Partial<Pick<Preparation, 'policy' | 'previous'>>,
  bases: readonly Buffer[],
  ...holders: readonly string[]
): Promise<Played> {
  const { path, folder } = prepared(temp.join(order.id), {
    created: second(NOW),
    expires: EXPIRES,
    policy: TEST_POLICY,
    documents: [{ ...DOCUMENT, base: bases }],
    ...order,
  });
  using session = openedSession(path, second(NOW).slice(0, 10));
  for (const check of ['BASE-LATEST', 'THRESHOLD-SANE', 'EXPIRY-WINDOW']) waive(session, check, 'alice');
  await room.sign(session, ...holders);
  const { outputs } = closeCeremony(session, false);
  const root = outputs.find(({ file }) => file.endsWith(`/${bases.length + 1}.root.json`));
  if (root === undefined) throw new Error('the ceremony gave no root');
  const policy = JSON.parse(folder.require('out/policy.json').toString('utf8')) as Preparation['policy'];
  return { root: root.bytes, policy, transcript: folder.require('transcript.jsonl') };
}

function enrolled(holder: string, ceremony: string): Promise<Enrolment> {
  return room.enrol(holder, ceremony, { notaryRepositories: [GUN] });
}

/** Targets with one tag. */
function targetsFile(signer: SoftwareSigner, tag: string, version: number): Buffer {
  const target = { hashes: { sha256: 'a'.repeat(64) }, length: 423 };
  const bytes = signedBytesOf({
    ...EMPTY_TARGETS,
    version,
    expires: EXPIRES,
    targets: new Map([[tag, target]]),
  });
  return envelopeOf(bytes, [signer.sign(bytes)]);
}

function only(role: 'targets' | 'snapshot' | 'timestamp', key: NotaryKey) {
  return { document: null, role, publicKeys: [notarySpki(key).toString('base64')], threshold: 1 };
}

it('publishes a root of two tokens to notary-server, then one with a holder swapped, and the client follows', async () => {
  const server = new TrustServer(GUN, {
    env: {},
    home: temp.path,
    server: stack.server.url,
    ca: readFileSync(stack.authority.certificate, 'utf8'),
    deadline: Date.now() + 110_000,
  });
  const targets = SoftwareSigner.make();
  const alice = await enrolled('alice', 'acme-notary-1');
  const bob = await enrolled('bob', 'acme-notary-1');
  const first = await play(
    {
      id: 'acme-notary-1',
      action: {
        type: 'init',
        enters: [alice.keyId, bob.keyId],
        threshold: 2,
        online: [
          only('targets', targets.key),
          only('snapshot', await server.serverKey('snapshot')),
          only('timestamp', await server.serverKey('timestamp')),
        ],
      },
      enrolments: [alice, bob],
      signers: ['alice', 'bob'],
    },
    [],
    'bob',
    'alice',
  );
  // One signature is not the threshold: the server itself says so.
  const { signed, signatures } = JSON.parse(first.root.toString('utf8')) as {
    readonly signed: object;
    readonly signatures: readonly object[];
  };
  expect(signatures).toHaveLength(2);
  const half = Buffer.from(JSON.stringify({ signed, signatures: signatures.slice(1) }));
  const files = new Map([['targets', targetsFile(targets, 'v1', 1)]]);
  expect((await rejectionOf(server.upload(new Map([['root', half], ...files])))).code).toBe(
    'notary.rejected',
  );
  await server.upload(new Map([['root', first.root], ...files]));
  using client = new NotaryClient(stack.server);
  expect(await client.must('list', GUN)).toMatch(/^v1 +a{64} +423 +targets$/m);

  const carol = await enrolled('carol', 'acme-notary-2');
  const next = await play(
    {
      id: 'acme-notary-2',
      action: { type: 'rotate', leaves: [bob.keyId], enters: [carol.keyId], threshold: null },
      policy: first.policy,
      previous: first.transcript,
      enrolments: [carol],
      signers: ['alice', 'bob', 'carol'],
    },
    [first.root],
    'alice',
    'bob',
    'carol',
  );
  await server.upload(
    new Map([
      ['root', next.root],
      ['targets', targetsFile(targets, 'v2', 2)],
    ]),
  );
  // The client that trusted the first root, and one that begins with the second.
  using fresh = new NotaryClient(stack.server);
  for (const reader of [client, fresh]) {
    expect(await reader.must('list', GUN)).toMatch(/^v2 +a{64} +423 +targets$/m);
    const held = readFileSync(`${reader.trustDir}/tuf/${GUN}/metadata/root.json`, 'utf8');
    expect((JSON.parse(held) as { readonly signed: { readonly version: number } }).signed.version).toBe(2);
  }
  const reading = ['trust', 'list', GUN, '--server', stack.server.url, '--ca', stack.authority.certificate];
  expect(await room.agent.must(reading)).toMatch(/^v2 /m);
});
