/** What no good client sends to the SSH agent door, and more of them at once than anybody has. */
import { createHash, generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { spkiFromRaw } from '../../src/crypto/public-key.js';
import { Verifier } from '../../src/crypto/verify.js';
import { SshReader, SshWriter } from '../../src/encoding/ssh-wire.js';
import { buildSignedData } from '../../src/formats/sshsig.js';
import { runProgram, type DemoAgent } from '../support/demo-agent.js';
import { userauthBytes } from '../support/signable-bytes.js';
import {
  signBody,
  SSH,
  SshDoorClient,
  sshEnvironment,
  sshSocketOf,
  startSshDoor,
} from '../support/ssh-door.js';

const FAILED = Buffer.of(SSH.failure);
const FILE = buildSignedData({ namespace: 'file', hashAlgorithm: 'sha512', hash: Buffer.alloc(64, 1) });

let agent: DemoAgent;
let blob: Buffer;
beforeAll(async () => {
  agent = await startSshDoor();
  using client = open();
  blob = (await client.identities()).get('acme/app#ssh~ed25519') ?? Buffer.alloc(0);
});
afterAll(async () => {
  await agent[Symbol.asyncDispose]();
});

function open(): SshDoorClient {
  return new SshDoorClient(sshSocketOf(agent));
}

async function records(): Promise<readonly Readonly<Record<string, unknown>>[]> {
  const shown = await agent.must(['audit', 'show', '--json', '--limit', '1000']);
  return (JSON.parse(shown) as { readonly records: readonly Readonly<Record<string, unknown>>[] }).records;
}

async function lastRecord(): Promise<Readonly<Record<string, unknown>> | undefined> {
  return (await records()).at(-1);
}

function lockBody(type: number, passphrase: string): Buffer {
  return new SshWriter().u8(type).string(passphrase).toBuffer();
}

/** Whether a reply holds a good signature over FILE. */
function isSignature(reply: Buffer | undefined): boolean {
  if (reply?.[0] !== SSH.signature) return false;
  const reader = new SshReader(reply.subarray(1), 'reply');
  const signature = new SshReader(reader.string(), 'signature');
  reader.end();
  if (signature.name() !== 'ssh-ed25519') return false;
  return new Verifier(spkiFromRaw('ed25519', blob.subarray(-32))).verify(FILE, signature.string());
}

describe('requests that are not answered with a signature', () => {
  it.each([
    ['random bytes', (): Buffer => signBody(blob, randomBytes(1024))],
    ['nothing', (): Buffer => signBody(blob, Buffer.alloc(0))],
    ['a bare digest', (): Buffer => signBody(blob, randomBytes(32))],
    ['a DSSE statement', (): Buffer => signBody(blob, Buffer.from('DSSEv1 1 a 1 b'))],
    ['a login with another key', (): Buffer => signBody(blob, userauthBytes('publickey'))],
    ['a key that is not ours', (): Buffer => signBody(Buffer.concat([blob, Buffer.of(0)]), FILE)],
    ['bytes after the end', (): Buffer => Buffer.concat([signBody(blob, FILE), Buffer.of(1)])],
    ['a cut request', (): Buffer => signBody(blob, FILE).subarray(0, -5)],
    ['a length beyond the message', (): Buffer => Buffer.of(SSH.sign, 0x7f, 0xff, 0xff, 0xff)],
    ['a type nobody knows', (): Buffer => Buffer.of(255)],
    ['an empty message', (): Buffer => Buffer.alloc(0)],
  ])('%s', async (_, body) => {
    using client = open();
    expect(await client.ask(body())).toEqual(FAILED);
    expect(isSignature(await client.ask(signBody(blob, FILE)))).toBe(true);
  });

  it.each([17, 18, 19, 20, 21, 25, 26])('type %i: keys come and go elsewhere', async (type) => {
    using client = open();
    expect(
      await client.ask(Buffer.concat([Buffer.of(type), new SshWriter().string(blob).toBuffer()])),
    ).toEqual(FAILED);
  });
});

describe('a login', () => {
  const host = generateKeyPairSync('ed25519');
  const hostRaw = host.publicKey.export({ format: 'der', type: 'spki' }).subarray(-32);
  const hostKey = new SshWriter().string('ssh-ed25519').string(hostRaw).toBuffer();
  const session = Buffer.alloc(32, 3);

  function bind(sessionId: Buffer, signed = sessionId, isForwarded = false): Buffer {
    const signature = new SshWriter()
      .string('ssh-ed25519')
      .string(sign(null, signed, host.privateKey))
      .toBuffer();
    const writer = new SshWriter().u8(SSH.extension).string('session-bind@openssh.com').string(hostKey);
    return writer
      .string(sessionId)
      .string(signature)
      .u8(isForwarded ? 1 : 0)
      .toBuffer();
  }
  function login(sessionId: Buffer): Buffer {
    return signBody(blob, userauthBytes('publickey', { sessionId, keyBlob: blob }));
  }

  it('is signed without a bind, and with the one that fits', async () => {
    using client = open();
    expect((await client.ask(login(session)))?.[0]).toBe(SSH.signature);
    expect(await client.ask(bind(session))).toEqual(Buffer.of(SSH.success));
    expect(await client.ask(bind(session))).toEqual(Buffer.of(SSH.success));
    expect((await client.ask(login(session)))?.[0]).toBe(SSH.signature);
  });

  it('is refused for another session than the bound one', async () => {
    using client = open();
    await client.ask(bind(session));
    expect(await client.ask(login(Buffer.alloc(32, 4)))).toEqual(FAILED);
    expect(await lastRecord()).toMatchObject({
      type: 'refuse',
      key: 'acme/app#ssh~ed25519',
      kind: 'ssh.userauth',
      code: 'statement.unrecognised',
      message: expect.stringContaining('another session') as unknown,
    });
    // A connection that leads to one server is not led on.
    expect(await client.ask(bind(Buffer.alloc(32, 4)))).toEqual(Buffer.of(SSH.extensionFailure));
  });

  it('is refused after a bind that the server did not sign', async () => {
    using client = open();
    expect(await client.ask(bind(session, Buffer.alloc(32, 9)))).toEqual(Buffer.of(SSH.extensionFailure));
    expect(await client.ask(login(session))).toEqual(FAILED);
    expect(isSignature(await client.ask(signBody(blob, FILE)))).toBe(true);
  });

  it('of a forwarded connection follows the last bind', async () => {
    using client = open();
    const inner = Buffer.alloc(32, 6);
    expect(await client.ask(bind(session, session, true))).toEqual(Buffer.of(SSH.success));
    expect(await client.ask(bind(inner))).toEqual(Buffer.of(SSH.success));
    expect((await client.ask(login(inner)))?.[0]).toBe(SSH.signature);
    expect(await client.ask(login(session))).toEqual(FAILED);
  });
});

describe('extensions', () => {
  it('are named on request; others are refused as such', async () => {
    using client = open();
    const query = await client.ask(new SshWriter().u8(SSH.extension).string('query').toBuffer());
    const reader = new SshReader(query ?? Buffer.alloc(0), 'query');
    expect(reader.u8()).toBe(SSH.extensionReply);
    expect([reader.name(), reader.name(), reader.name()]).toEqual([
      'query',
      'query',
      'session-bind@openssh.com',
    ]);
    reader.end();
    const other = new SshWriter().u8(SSH.extension).string('other@example.com').toBuffer();
    expect(await client.ask(other)).toEqual(Buffer.of(SSH.extensionFailure));
  });
});

describe('clients', () => {
  it('that announce more than 256 KiB are cut off, whatever follows', async () => {
    using client = open();
    client.socket.write(Buffer.of(0, 4, 0, 1));
    expect(await client.next()).toBeUndefined();
    using good = open();
    const largest = Buffer.alloc(256 * 1024, 0);
    largest[0] = 255;
    expect(await good.ask(largest)).toEqual(FAILED);
  });

  it('that stop in the middle of a message hold up nobody', async () => {
    using hanging = open();
    hanging.socket.write(Buffer.of(0, 0, 1, 0, SSH.sign));
    using client = open();
    expect(isSignature(await client.ask(signBody(blob, FILE)))).toBe(true);
  });

  it('get replies in the order they asked', async () => {
    using client = open();
    const bodies = [
      signBody(blob, FILE),
      Buffer.of(255),
      signBody(blob, FILE),
      Buffer.of(SSH.list),
      signBody(blob, randomBytes(40)),
      signBody(blob, FILE),
    ];
    for (const body of bodies) client.send(body);
    const types: (number | undefined)[] = [];
    for (const _ of bodies) types.push((await client.next())?.[0]);
    const { signature, failure, identities } = SSH;
    expect(types).toEqual([signature, failure, signature, identities, failure, signature]);
  });

  it('that send 3,000 requests at once and read late lose none', async () => {
    using client = open();
    client.socket.pause();
    for (let sent = 0; sent < 3000; sent += 1)
      client.send(sent % 3 === 0 ? Buffer.of(SSH.list) : signBody(blob, FILE));
    await delay(200);
    client.socket.resume();
    for (let at = 0; at < 3000; at += 1) {
      expect((await client.next())?.[0]).toBe(at % 3 === 0 ? SSH.identities : SSH.signature);
    }
  });

  it('may be 200 at once', async () => {
    const clients = Array.from({ length: 200 }, () => open());
    const replies = await Promise.all(clients.map((client) => client.ask(signBody(blob, FILE))));
    expect(replies.filter(isSignature)).toHaveLength(200);
    for (const client of clients) client[Symbol.dispose]();
  });

  it('learn of a key that was made after they connected', async () => {
    using client = open();
    await client.identities();
    await agent.derive('acme/other#ssh~ed25519');
    using second = open();
    const made = (await second.identities()).get('acme/other#ssh~ed25519') ?? Buffer.alloc(0);
    expect((await client.ask(signBody(made, FILE)))?.[0]).toBe(SSH.signature);
  });

  it('do not sign with the successor of the key they asked for', async () => {
    using client = open();
    const old = (await client.identities()).get('acme/other#ssh~ed25519') ?? Buffer.alloc(0);
    await agent.must(['key', 'rotate', 'acme/other#ssh~ed25519']);
    expect(await client.ask(signBody(old, FILE))).toEqual(FAILED);
  });
});

it('puts a request for a key that is not ours on record, by its fingerprint', async () => {
  using client = open();
  const { publicKey } = generateKeyPairSync('ed25519');
  const raw = publicKey.export({ format: 'der', type: 'spki' }).subarray(-32);
  const foreign = new SshWriter().string('ssh-ed25519').string(raw).toBuffer();
  expect(await client.ask(signBody(foreign, FILE))).toEqual(FAILED);
  const fingerprint = createHash('sha256').update(foreign).digest('base64').replace('=', '');
  const key = `SHA256:${fingerprint}`;
  expect(await lastRecord()).toMatchObject({ type: 'refuse', key, kind: 'sshsig:file', code: 'key.unknown' });
});

describe('a passphrase on the door', () => {
  it('shuts it for all connections of the user, and stands in no log', async () => {
    using client = open();
    expect(await client.ask(lockBody(SSH.lock, 'correct horse'))).toEqual(Buffer.of(SSH.success));
    expect(await client.ask(lockBody(SSH.lock, 'again'))).toEqual(FAILED);
    using other = open();
    expect(await other.ask(signBody(blob, FILE))).toEqual(FAILED);
    expect(await lastRecord()).toMatchObject({ type: 'refuse', code: 'peer.door-locked' });
    expect((await client.identities()).size).toBe(0);
    expect(await client.ask(lockBody(SSH.unlock, 'battery'))).toEqual(FAILED);
    expect(await client.ask(lockBody(SSH.unlock, 'correct horse'))).toEqual(Buffer.of(SSH.success));
    expect((await client.identities()).size).toBeGreaterThan(0);
    expect(readFileSync(`${agent.stateDir}/agent.log`, 'utf8')).not.toContain('correct horse');
    const acts = (await records()).filter(({ act }) => String(act).startsWith('ssh-')).map(({ act }) => act);
    expect(acts).toEqual(['ssh-lock', 'ssh-unlock-refused', 'ssh-unlock']);
  });

  it('outlives the front', async () => {
    using before = open();
    expect(await before.ask(lockBody(SSH.lock, 'correct horse'))).toEqual(Buffer.of(SSH.success));
    const first = await frontPid();
    process.kill(first, 'SIGKILL');
    await expect.poll(async () => [0, first].includes(await frontPid()), { timeout: 45_000 }).toBe(false);
    using after = open();
    expect((await after.identities()).size).toBe(0);
    expect(await after.ask(signBody(blob, FILE))).toEqual(FAILED);
    expect(await after.ask(lockBody(SSH.unlock, 'battery'))).toEqual(FAILED);
    expect(await after.ask(lockBody(SSH.unlock, 'correct horse'))).toEqual(Buffer.of(SSH.success));
    expect(isSignature(await after.ask(signBody(blob, FILE)))).toBe(true);
  });
});

it('is gone with the agent: its clients end at once, and say so', async () => {
  using client = open();
  await client.identities();
  await agent.stop();
  expect(await client.next()).toBeUndefined();
  const listed = await runProgram('ssh-add', ['-l'], { environment: sshEnvironment(agent) });
  expect([listed.status, listed.stderr]).toEqual([2, expect.stringMatching(/connect|communicat|open/i)]);
  await agent.start();
  await agent.unlock();
  using again = open();
  expect(isSignature(await again.ask(signBody(blob, FILE)))).toBe(true);
});

async function frontPid(): Promise<number> {
  const { status, stdout } = await agent.touchstone(['agent', 'status', '--json']);
  return status === 0 ? (JSON.parse(stdout) as { readonly frontPid: number }).frontPid : 0;
}
