/** Roots of a notary-server that holders' tokens signed in a ceremony: published by command, taken by the real server, followed by the real clients. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { readEnvelope } from '../../src/formats/notary1/reader.js';
import { TrustServer } from '../../src/trust/server.js';
import { CeremonyRoom } from '../support/ceremony-room.js';
import { TOUCHSTONE, type CommandResult } from '../support/demo-agent.js';
import { DockerClient } from '../support/docker-client.js';
import { NotaryClient } from '../support/notary-client.js';
import { rejectionOf } from '../support/rejection.js';
import { SoftHsmStore } from '../support/softhsm-store.js';
import { StoppingProxy } from '../support/stopping-proxy.js';
import { TempFolder } from '../support/temp-folder.js';
import { TrustStack, type TrustPublisher } from '../support/trust-stack.js';

const APP = 'localhost:5000/ceremony/app';
const WEB = 'localhost:5000/ceremony/web';
const COMMAND_MS = 120_000;
const TEST_MS = 300_000;
const TODAY = new Date().toISOString().slice(0, 10);
const EXPIRES = new Date(Date.now() + 400 * 86_400_000).toISOString().slice(0, 10);

let temp: TempFolder;
let stack: TrustStack;
let room: CeremonyRoom;
/** The machine with a network: it has leaves, and no root key. */
let publisher: TrustPublisher;
/** Clients that saw the first roots. */
let notary: NotaryClient;
let docker: DockerClient;
const stores = new Map(['alice', 'bob', 'carol'].map((name) => [name, new SoftHsmStore(name)]));

beforeAll(async () => {
  temp = new TempFolder();
  stack = await TrustStack.start();
  room = await CeremonyRoom.open(stores);
  publisher = await stack.publisher();
  notary = new NotaryClient(stack.server);
  docker = new DockerClient({ server: stack.server });
});
afterAll(async () => {
  docker[Symbol.dispose]();
  notary[Symbol.dispose]();
  await publisher[Symbol.asyncDispose]();
  await room[Symbol.asyncDispose]();
  await stack[Symbol.asyncDispose]();
  for (const store of stores.values()) store[Symbol.dispose]();
  temp[Symbol.dispose]();
});

/** `touchstone ceremony ARGV` in the room. @returns what --json prints */
async function inRoom(...argv: readonly string[]): Promise<Record<string, unknown>> {
  const printed = await room.agent.must(['ceremony', ...argv, '--json'], {
    cwd: temp.path,
    timeoutMs: COMMAND_MS,
  });
  return JSON.parse(printed) as Record<string, unknown>;
}

async function enrol(holder: string, ceremony: string): Promise<void> {
  const repositories = [APP, WEB].flatMap((name) => ['--repository', name]);
  const pin = ['--pin-file', room.agent.pinFile];
  await inRoom('enrol', holder, '--ceremony', ceremony, '--token', holder, ...repositories, ...pin);
}

/** Prepared, opened, confirmed, signed, closed and sealed. @returns the folder */
async function play(out: string, version: number, order: readonly string[]): Promise<string> {
  const folder = temp.join(out);
  const made = await inRoom('new', ...order, '--expires', EXPIRES, '--reason', 'a test', '--out', folder);
  const words = made['requestWords'] as readonly string[];
  const waived = ['BASE-LATEST', 'THRESHOLD-SANE'].flatMap((check) => ['--waive', `${check}=alice`]);
  await inRoom('open', folder, '--today', TODAY, ...waived);
  await inRoom('review', folder, '--confirm', [version, ...words.slice(0, 2)].join(' '));
  await inRoom('sign', folder, '--pin-file', room.agent.pinFile);
  await inRoom('close', folder);
  await inRoom('seal', folder, '--pin-file', room.agent.pinFile);
  return folder;
}

/** What the next ceremony begins with. */
function after(folder: string, version: number): readonly string[] {
  const roots = readdirSync(`${folder}/out`, { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith(`/${version}.root.json`),
  );
  const memory = ['--policy', `${folder}/out/policy.json`, '--previous', `${folder}/transcript.jsonl`];
  return [...roots.flatMap((name) => ['--base', `${folder}/out/${name}`]), ...memory];
}

/** `touchstone ceremony import` on the machine of the publisher. */
function imported(folder: string): Promise<CommandResult> {
  return publisher.agent.touchstone(['ceremony', 'import', folder, ...publisher.options], {
    timeoutMs: COMMAND_MS,
  });
}

function serverOf(repository: string): TrustServer {
  return new TrustServer(repository, {
    env: {},
    home: temp.path,
    server: stack.server.url,
    ca: readFileSync(stack.authority.certificate, 'utf8'),
    deadline: Date.now() + COMMAND_MS,
  });
}

function rootHeldBy(reader: NotaryClient, repository: string): unknown {
  const held = readFileSync(`${reader.trustDir}/tuf/${repository}/metadata/root.json`, 'utf8');
  return (JSON.parse(held) as { readonly signed: { readonly version: number } }).signed.version;
}

it(
  'makes the first roots of two repositories by two tokens, and publishes both',
  async () => {
    const keys = temp.join('online-keys.json');
    await publisher.must('online-keys', APP, WEB, '-o', keys);
    await enrol('alice', 'notary-1');
    await enrol('bob', 'notary-1');
    const enrolments = ['--enrolment', 'enrol-alice.json', '--enrolment', 'enrol-bob.json'];
    const policy = ['--name', 'acme', '--threshold', '2'];
    const folder = await play('notary-1', 1, ['init', ...enrolments, ...policy, '--online-keys', keys]);

    // One signature is not the threshold: the server itself says so.
    const [name = ''] = after(folder, 1).filter((word) => word.includes('ceremony_app'));
    const root = JSON.parse(readFileSync(name, 'utf8')) as { readonly signatures: readonly object[] };
    expect(root.signatures).toHaveLength(2);
    const half = Buffer.from(JSON.stringify({ ...root, signatures: root.signatures.slice(1) }));
    const upload = serverOf(APP).upload(new Map([['root', half]]));
    expect((await rejectionOf(upload)).code).toBe('notary.rejected');

    await using proxy = await StoppingProxy.start(stack.server);
    const reached = proxy.stopAt({ matches: (method) => method === 'POST', when: 'before' });
    const killed = spawn(
      process.execPath,
      [TOUCHSTONE, 'ceremony', 'import', folder, '--server', proxy.url],
      { env: publisher.agent.environment, stdio: 'ignore' },
    );
    await reached;
    const ended = once(killed, 'exit');
    killed.kill('SIGKILL');
    await ended;
    const { status, stdout } = await imported(folder);
    expect([status, stdout]).toEqual([
      0,
      expect.stringMatching(
        new RegExp(`^${APP}: published root 1, targets 1\n${WEB}: published root 1, targets 1$`, 'm'),
      ),
    ]);
    for (const repository of [APP, WEB]) {
      await publisher.sign(`${repository}:v1`, 'a');
      expect(await notary.must('list', repository)).toMatch(/^v1 +a{64} +423 +targets$/m);
      const [shown] = JSON.parse(await docker.must('trust', 'inspect', repository)) as readonly object[];
      expect(shown).toMatchObject({ SignedTags: [{ SignedTag: 'v1', Digest: 'a'.repeat(64) }] });
    }
    const again = await imported(folder);
    expect(again.stdout).toContain(`${APP}: root 1 was there already\n${WEB}: root 1 was there already\n`);
  },
  TEST_MS,
);

it(
  'lets a holder go in both, and clients that saw the first root follow',
  async () => {
    await enrol('carol', 'notary-2');
    const change = ['rotate', '--replace', 'bob=carol', '--enrolment', 'enrol-carol.json'];
    const folder = await play('notary-2', 2, [...change, ...after(temp.join('notary-1'), 1)]);
    expect((await imported(folder)).stdout).toContain(`${APP}: published root 2\n${WEB}: published root 2\n`);
    using fresh = new NotaryClient(stack.server);
    for (const repository of [APP, WEB]) {
      await publisher.sign(`${repository}:v2`, 'b');
      for (const reader of [notary, fresh]) {
        expect(await reader.must('list', repository)).toMatch(/^v2 +b{64} +423 +targets$/m);
        expect(rootHeldBy(reader, repository)).toBe(2);
      }
      const [shown] = JSON.parse(await docker.must('trust', 'inspect', repository)) as readonly object[];
      expect(shown).toMatchObject({ SignedTags: [{ SignedTag: 'v1' }, { SignedTag: 'v2' }] });
    }
    const late = await imported(temp.join('notary-1'));
    expect([late.status, late.stdout]).toEqual([1, expect.stringContaining(`${WEB} has root 2 already`)]);
  },
  TEST_MS,
);

it(
  'rehearses that, and publishes nothing of a rehearsal',
  async () => {
    const out = temp.join('rehearsal-2');
    const waived = ['--waive', 'THRESHOLD-SANE=alice'];
    const argv = ['ceremony', 'rehearse', temp.join('notary-2'), '--out', out, ...waived];
    await room.agent.must(argv, { timeoutMs: 2 * COMMAND_MS });
    const roots = readdirSync(`${out}/out`, { recursive: true, encoding: 'utf8' }).filter((name) =>
      name.endsWith('/REHEARSAL-2.root.json'),
    );
    expect(roots).toHaveLength(2);
    for (const name of roots) {
      const bytes = readFileSync(`${out}/out/${name}`);
      expect(() => readEnvelope(bytes, 'root')).toThrow();
    }
    const { status, stderr } = await imported(out);
    expect([status, stderr]).toEqual([1, expect.stringContaining('it was a rehearsal')]);
  },
  TEST_MS,
);

it(
  'takes a new timestamp key of the server and a snapshot key of the publisher into the roots',
  async () => {
    const keys = temp.join('new-keys.json');
    const wanted = [
      '--role',
      'timestamp',
      '--role',
      'snapshot',
      '--rotate',
      'timestamp',
      '--client-snapshot',
    ];
    await publisher.must('online-keys', APP, WEB, ...wanted, '-o', keys);
    const from = after(temp.join('notary-2'), 2);
    const folder = await play('notary-3', 3, ['online-keys', '--online-keys', keys, ...from]);
    expect((await imported(folder)).stdout).toMatch(
      new RegExp(`^${APP}: published root 3, snapshot \\d+$`, 'm'),
    );
    for (const repository of [APP, WEB]) {
      await publisher.sign(`${repository}:v3`, 'c');
      expect(await notary.must('list', repository)).toMatch(/^v3 +c{64} +423 +targets$/m);
      expect(rootHeldBy(notary, repository)).toBe(3);
    }
    expect(await publisher.must('list', APP)).toMatch(/^v3 /m);
  },
  TEST_MS,
);
