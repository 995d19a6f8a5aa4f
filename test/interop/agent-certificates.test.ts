/** An agent that signs only with keys that its roots have certified. */
import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { StatementToSign } from '../../src/client/signer.js';
import type { KeyCertificate } from '../../src/formats/key-certificate/document.js';
import { buildSimpleSigning } from '../../src/formats/simple-signing.js';
import type { KeyInfo, Result } from '../../src/protocol/methods.js';
import { connectTo, fileStatement, outcomeOf } from '../support/agent-client.js';
import { startDemoAgent, type DemoAgent } from '../support/demo-agent.js';
import {
  certificateEnvelope,
  certificateFor,
  secondsFromNow,
  softwareRoot,
  type SoftwareRoot,
} from '../support/key-certificates.js';

const REPOSITORY = 'registry.example/acme/app';
const KEY = `${REPOSITORY}#cosign`;
const alice = softwareRoot();
const bob = softwareRoot('ed25519');

let agent: DemoAgent;
let key: KeyInfo;

beforeAll(async () => {
  agent = await startDemoAgent({
    configure: (toml) => {
      const roots = [alice, bob].map(({ spki }) => `"${spki.toString('base64')}"`).join(', ');
      return `${toml}\n[certificates]\nrequired = true\nthreshold = 2\nroots = [${roots}]\n`;
    },
  });
  await agent.derive(KEY);
  key = await show();
});
afterAll(async () => {
  await agent[Symbol.asyncDispose]();
});

async function show(): Promise<KeyInfo> {
  return (JSON.parse(await agent.must(['key', 'show', KEY, '--json'])) as Result<'keys.show'>).key;
}

function image(): StatementToSign {
  const digest = `sha256:${'a'.repeat(64)}`;
  return {
    key: KEY,
    kind: 'oci.simple-signing',
    payload: buildSimpleSigning({ reference: REPOSITORY, digest }),
  };
}

async function outcome(statement = image()): Promise<string> {
  using client = await connectTo(agent);
  return await outcomeOf(client, statement);
}

function certificate(changes: Partial<KeyCertificate> = {}): KeyCertificate {
  return certificateFor(
    { spki: Buffer.from(key.publicKey ?? '', 'base64') },
    { repository: REPOSITORY, ...changes },
  );
}

async function add(changes: Partial<KeyCertificate>, roots: readonly SoftwareRoot[]): Promise<string> {
  const file = join(agent.folder, 'certificate.json');
  writeFileSync(file, certificateEnvelope(certificate(changes), roots));
  const result = await agent.touchstone(['key', 'certificate', 'add', file, '--json']);
  if (result.status === 0) return 'added';
  return (JSON.parse(result.stdout) as { error: { code: string } }).error.code;
}

async function newestHash(): Promise<string> {
  const listed = JSON.parse(
    await agent.must(['key', 'certificate', 'show', KEY, '--json']),
  ) as Result<'certificates.list'>;
  return listed.certificates.at(-1)?.hash ?? '';
}

it('refuses a key without a certificate, lists it so, and goes on with its own keys', async () => {
  expect(key.certificate).toEqual({ state: 'missing' });
  expect(await outcome()).toBe('certificate.missing');
  expect(await agent.must(['key', 'list'])).toMatch(/#cosign .* missing /);
  expect(await agent.must(['audit', 'show'])).toContain('certificate.missing');
});

it('takes a certificate only from enough of its roots', async () => {
  expect(await add({}, [alice])).toBe('certificate.invalid');
  expect(await add({}, [alice, softwareRoot()])).toBe('certificate.invalid');
  expect(await outcome()).toBe('certificate.missing');
  expect(await add({}, [alice, bob])).toBe('added');
  expect(await outcome()).toBe('signed');
  expect((await show()).certificate).toMatchObject({ state: 'valid', hash: await newestHash() });
});

it('names the certificate in the log, which verifies', async () => {
  const records = JSON.parse(await agent.must(['audit', 'show', '--json'])) as {
    readonly records: readonly { readonly type: string; readonly certificate?: string }[];
  };
  const signed = records.records.filter(({ certificate: hash }) => hash !== undefined);
  expect(signed.map(({ certificate: hash }) => hash)).toEqual([await newestHash()]);
  await agent.must(['audit', 'verify']);
});

it('holds the key to the kinds of its certificate', async () => {
  await agent.derive('touchstone/release#ssh');
  expect(await outcome(fileStatement('touchstone/release#ssh', 'content'))).toBe('certificate.missing');
  expect(await add({ previous: await newestHash(), kinds: ['dsse:*'] }, [alice, bob])).toBe('added');
  expect(await outcome()).toBe('certificate.kind');
});

it('takes the certificates of a key only in their order', async () => {
  const again = await agent.must(['key', 'certificate', 'add', join(agent.folder, 'certificate.json')]);
  expect(again).toContain('known already');
  expect(await add({ kinds: ['oci.*', 'dsse:*'] }, [alice, bob])).toBe('certificate.order');
  expect(await add({ previous: 'b'.repeat(64) }, [alice, bob])).toBe('certificate.order');
});

it('refuses what is over, and what has not begun', async () => {
  const past = { notBefore: secondsFromNow(-7200), notAfter: secondsFromNow(-3600) };
  expect(await add({ ...past, previous: await newestHash() }, [alice, bob])).toBe('added');
  expect(await outcome()).toBe('certificate.time');
  const future = { notBefore: secondsFromNow(3600), notAfter: secondsFromNow(7200) };
  expect(await add({ ...future, previous: await newestHash() }, [alice, bob])).toBe('added');
  expect(await outcome()).toBe('certificate.time');
  expect(await add({ epoch: 2, previous: await newestHash() }, [alice, bob])).toBe('added');
  expect(await outcome()).not.toBe('signed');
  expect(await add({ kinds: ['*'], previous: await newestHash() }, [alice, bob])).toBe('added');
});

it('never signs again with a key whose certificates were taken back, also after a restart', async () => {
  expect(await add({ action: 'revoke', kinds: [] }, [alice])).toBe('certificate.invalid');
  expect(await add({ action: 'revoke', kinds: [] }, [alice, bob])).toBe('added');
  expect(await outcome()).toBe('certificate.revoked');
  expect(await add({ kinds: ['oci.*'], previous: await newestHash() }, [alice, bob])).toBe('added');
  expect(await outcome()).toBe('certificate.revoked');
  await agent.stop();
  await agent.start();
  await agent.unlock();
  expect(await outcome()).toBe('certificate.revoked');
});

it('signs nothing when statements are missing that it has seen', async () => {
  await agent.stop();
  const folder = join(agent.stateDir, 'certificates');
  const [first] = readdirSync(folder);
  rmSync(join(folder, first ?? ''));
  await agent.start();
  await agent.unlock();
  expect(await outcome()).toBe('certificate.older');
  expect(await add({ epoch: 3 }, [alice, bob])).toBe('certificate.older');
});
