/** What the agent signs is what it read itself: bytes that are not what the request says get a refusal, and a line in the log. */
import { readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { pae } from '../../src/encoding/dsse-pae.js';
import { buildSimpleSigning } from '../../src/formats/simple-signing.js';
import { buildSignedData } from '../../src/formats/sshsig.js';
import { auditLines } from '../support/audit-acts.js';
import { startDemoAgent, type DemoAgent } from '../support/demo-agent.js';
import { outcomeOf, RawConnection } from '../support/raw-connection.js';
import { DIGEST_TEXT, inTotoBody } from '../support/signable-bytes.js';

const IMAGE_KEY = 'docker.io/library/hello#cosign';
const OTHER_KEY = 'docker.io/library/other#cosign';
const FILE_KEY = 'touchstone/release#ssh';
const BLIND_KEY = 'legacy/tool#cosign';
const IN_TOTO = 'application/vnd.in-toto+json';

const SIMPLE = buildSimpleSigning({ reference: 'docker.io/library/hello:1', digest: DIGEST_TEXT });
const ATTESTATION = pae(IN_TOTO, inTotoBody());
const FILE = buildSignedData({ namespace: 'file', hashAlgorithm: 'sha512', hash: Buffer.alloc(64, 7) });
const GIT = buildSignedData({ namespace: 'git', hashAlgorithm: 'sha512', hash: Buffer.alloc(64, 7) });
const DIGEST = Buffer.alloc(32, 0xa5);

/** The simple signing payload with a change to its object. */
function changed(change: (payload: Record<string, Record<string, unknown>>) => void): Buffer {
  const payload = JSON.parse(SIMPLE.toString()) as Record<string, Record<string, unknown>>;
  change(payload);
  return Buffer.from(JSON.stringify(payload));
}

const BLIND_RULE = `
[[rule]]
id = "legacy-digests"
kinds = ["digest"]
keys = ["${BLIND_KEY}"]
allow = true
blind = true
`;

describe('statements', () => {
  let agent: DemoAgent;
  let client: RawConnection;

  beforeAll(async () => {
    agent = await startDemoAgent();
    for (const key of [IMAGE_KEY, OTHER_KEY, FILE_KEY, BLIND_KEY]) await agent.derive(key);
    client = await RawConnection.open(agent.socket);
  });
  afterAll(async () => {
    client[Symbol.dispose]();
    await agent[Symbol.asyncDispose]();
  });

  async function sign(key: string, kind: string, payload: Uint8Array): Promise<string> {
    const request = { key, kind, payload: Buffer.from(payload).toString('base64') };
    return outcomeOf(await client.call('sign', { requests: [request] }));
  }

  it.each([
    [IMAGE_KEY, 'oci.simple-signing', SIMPLE],
    [IMAGE_KEY, `dsse:${IN_TOTO}`, ATTESTATION],
    [FILE_KEY, 'sshsig:file', FILE],
    [FILE_KEY, 'sshsig:git', GIT],
  ])('signs with %s what is %s (control)', async (key, kind, payload) => {
    expect(await sign(key, kind, payload)).toBe('ok');
  });

  it.each<[what: string, key: string, kind: string, payload: Uint8Array, code: string]>([
    ['another repository', OTHER_KEY, 'oci.simple-signing', SIMPLE, 'statement.repository'],
    ['a role that does not sign this', FILE_KEY, 'oci.simple-signing', SIMPLE, 'statement.kind'],
    ['an ssh payload for cosign', IMAGE_KEY, 'sshsig:file', FILE, 'statement.kind'],
    ['a file as an image', IMAGE_KEY, 'oci.simple-signing', FILE, 'statement.unrecognised'],
    ['an attestation as an image', IMAGE_KEY, 'oci.simple-signing', ATTESTATION, 'statement.unrecognised'],
    ['an attestation of another type', IMAGE_KEY, 'dsse:text/plain', ATTESTATION, 'statement.unrecognised'],
    [
      'text as in-toto',
      IMAGE_KEY,
      `dsse:${IN_TOTO}`,
      pae('text/plain', inTotoBody()),
      'statement.unrecognised',
    ],
    [
      'in-toto that is none',
      IMAGE_KEY,
      `dsse:${IN_TOTO}`,
      pae(IN_TOTO, Buffer.from('{}')),
      'statement.unrecognised',
    ],
    ['the body without its frame', IMAGE_KEY, `dsse:${IN_TOTO}`, inTotoBody(), 'statement.unrecognised'],
    [
      'bytes behind the frame',
      IMAGE_KEY,
      `dsse:${IN_TOTO}`,
      Buffer.concat([ATTESTATION, Buffer.of(10)]),
      'statement.unrecognised',
    ],
    ['another namespace', FILE_KEY, 'sshsig:file', GIT, 'statement.unrecognised'],
    [
      'a key in critical',
      IMAGE_KEY,
      'oci.simple-signing',
      changed((p) => Object.assign(p['critical'] ?? {}, { extra: 1 })),
      'statement.unrecognised',
    ],
    [
      'a key beside critical',
      IMAGE_KEY,
      'oci.simple-signing',
      changed((p) => Object.assign(p, { extra: {} })),
      'statement.unrecognised',
    ],
    [
      'a repeated key',
      IMAGE_KEY,
      'oci.simple-signing',
      Buffer.from(SIMPLE.toString().replace('{"critical":{', '{"critical":{"type":"x",')),
      'statement.unrecognised',
    ],
    [
      'bytes behind the document',
      IMAGE_KEY,
      'oci.simple-signing',
      Buffer.concat([SIMPLE, Buffer.from('{}')]),
      'statement.unrecognised',
    ],
    ['nothing at all', FILE_KEY, 'sshsig:file', Buffer.alloc(0), 'statement.unrecognised'],
    ['a kind nobody knows', FILE_KEY, 'pgp:file', FILE, 'statement.unrecognised'],
    ['a digest of 31 bytes', BLIND_KEY, 'digest', DIGEST.subarray(1), 'statement.unrecognised'],
    ['a digest without a rule', IMAGE_KEY, 'digest', DIGEST, 'policy.denied'],
    [
      'the audit key',
      'touchstone/agent#audit',
      'dsse:application/vnd.touchstone.checkpoint+json',
      pae('application/vnd.touchstone.checkpoint+json', Buffer.from('{}')),
      'key.usage',
    ],
    ['the root key', 'touchstone/root#root', 'digest', DIGEST, 'key.usage'],
    ['the derivation key', 'touchstone/derivation#derive', 'digest', DIGEST, 'key.usage'],
    [
      'a key that does not exist',
      'docker.io/library/hullo#cosign',
      'oci.simple-signing',
      SIMPLE,
      'key.unknown',
    ],
  ])('refuses %s', async (_what, key, kind, payload, code) => {
    expect(await sign(key, kind, payload)).toBe(code);
    const last = auditLines(agent.stateDir).at(-1);
    expect(last).toMatchObject({ type: 'refuse', key, code });
  });

  it('signs a batch whole or not at all', async () => {
    const before = auditLines(agent.stateDir).filter(({ type }) => type === 'sign').length;
    const good = { key: IMAGE_KEY, kind: 'oci.simple-signing', payload: SIMPLE.toString('base64') };
    const reply = await client.call('sign', { requests: [good, { ...good, key: OTHER_KEY }, good] });
    expect(outcomeOf(reply)).toBe('statement.repository');
    const signed = auditLines(agent.stateDir).filter(({ type }) => type === 'sign').length;
    expect(signed).toBe(before);
  });

  it('does not repeat hostile text in its messages', async () => {
    const reference = `docker.io/x/${'y'.repeat(200)}`;
    const payload = changed((p) =>
      Object.assign(p['critical'] ?? {}, { identity: { 'docker-reference': reference } }),
    );
    expect(await sign(IMAGE_KEY, 'oci.simple-signing', payload)).toBe('statement.repository');
    expect(await sign(`${IMAGE_KEY}\u001b[31m`, 'oci.simple-signing\u202e', SIMPLE)).not.toBe('ok');
    const text = readFileSync(`${agent.stateDir}/audit/audit-00000001.jsonl`, 'utf8');
    for (const hostile of ['\u001b', '\u202e']) expect(text).not.toContain(hostile);
    expect(text).not.toContain('y'.repeat(200));
  });

  describe('bare digests', () => {
    it('are signed only with a rule and a blind lease, and marked', async () => {
      await client.call('events.subscribe', {});
      writeFileSync(agent.policyFile, readFileSync(agent.policyFile, 'utf8') + BLIND_RULE);
      await client.nextWhere((reply) => reply.params?.event === 'policy');
      expect(await sign(BLIND_KEY, 'digest', DIGEST)).toMatch(/^lease\./);
      expect(await sign(IMAGE_KEY, 'digest', DIGEST)).toBe('policy.denied');
      await agent.unlock(['--blind']);
      expect(await sign(BLIND_KEY, 'digest', DIGEST)).toBe('ok');
      expect(auditLines(agent.stateDir).at(-1)).toMatchObject({ type: 'sign', kind: 'digest', blind: true });
      expect(await sign(IMAGE_KEY, 'digest', DIGEST)).toBe('policy.denied');
    });

    it('are refused when they begin like a document', async () => {
      const prefixed = Buffer.alloc(32, 0x41);
      prefixed.write('DSSEv1 ');
      expect(await sign(BLIND_KEY, 'digest', prefixed)).toBe('statement.unrecognised');
    });
  });

  it('refuses retired and revoked keys', async () => {
    await agent.must(['key', 'rotate', FILE_KEY]);
    expect(await sign(`${FILE_KEY}@1`, 'sshsig:file', FILE)).toBe('key.retired');
    expect(await sign(FILE_KEY, 'sshsig:file', FILE)).toBe('ok');
    await agent.must(['key', 'revoke', `${FILE_KEY}@1`, '--reason', 'test']);
    expect(await sign(`${FILE_KEY}@1`, 'sshsig:file', FILE)).toBe('key.revoked');
    await agent.must(['audit', 'verify']);
  });
});
