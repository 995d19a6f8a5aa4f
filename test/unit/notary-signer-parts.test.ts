/** Parts of the signer for notary-servers that need no server: ids of keys, and what an error becomes on the wire. */
import { Code } from '@connectrpc/connect';
import { createHash, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { AgentError } from '../../src/errors/agent-error.js';
import type { ErrorCode } from '../../src/errors/codes.js';
import {
  serverAlgorithm,
  serverKeyName,
  serverKeyOf,
  serverRole,
} from '../../src/gateways/notary-signer/server-key.js';
import { statusOf } from '../../src/gateways/notary-signer/status.js';
import type { KeyInfo } from '../../src/protocol/methods.js';

function infoOf(name: string, algorithm: string, key: KeyObject, more: Partial<KeyInfo> = {}): KeyInfo {
  const spki = key.export({ type: 'spki', format: 'der' });
  return {
    name,
    usage: 'sign',
    keyId: createHash('sha256').update(spki).digest('hex'),
    algorithm,
    publicKey: spki.toString('base64'),
    state: 'active',
    createdAt: '2026-01-01T00:00:00Z',
    homes: [],
    kinds: [],
    loaded: true,
    ...more,
  };
}

/** The id as the format defines it, put together by hand. */
function idOf(keytype: string, bytes: Buffer): string {
  const text = `{"keytype":"${keytype}","keyval":{"private":null,"public":"${bytes.toString('base64')}"}}`;
  return createHash('sha256').update(text).digest('hex');
}

const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey;
const ed25519 = generateKeyPairSync('ed25519').publicKey;

describe('a key of a server', () => {
  it('has the id that follows from its DER, or from its 32 bytes', () => {
    const ecdsa = serverKeyOf(infoOf('r.example/app#timestamp', 'ecdsa-p256', p256));
    expect(ecdsa).toMatchObject({
      role: 'timestamp',
      repository: 'r.example/app',
      algorithm: 'ecdsa',
      index: 0,
    });
    expect(ecdsa?.id).toBe(idOf('ecdsa', p256.export({ type: 'spki', format: 'der' })));
    const edwards = serverKeyOf(infoOf('r.example/app#snapshot@2~ed25519:3', 'ed25519', ed25519));
    expect(edwards).toMatchObject({ role: 'snapshot', algorithm: 'ed25519', index: 3 });
    const raw = Buffer.from(String(ed25519.export({ format: 'jwk' }).x), 'base64url');
    expect(edwards?.id).toBe(idOf('ed25519', raw));
  });

  it('is none with another role, usage or algorithm', () => {
    expect(serverKeyOf(infoOf('r.example/app#targets', 'ecdsa-p256', p256))).toBeUndefined();
    expect(serverKeyOf(infoOf('r.example/app#timestamp', 'ecdsa-p384', p256))).toBeUndefined();
    expect(
      serverKeyOf(infoOf('r.example/app#timestamp', 'ecdsa-p256', p256, { usage: 'root' })),
    ).toBeUndefined();
  });

  it('is named by repository, role, algorithm and index', () => {
    expect(serverKeyName('r.example:5000/app', 'timestamp', 'ecdsa', 2)).toBe(
      'r.example:5000/app#timestamp~ecdsa-p256:2',
    );
    expect(serverKeyName('r.example/app', 'snapshot', 'ed25519', 0)).toBe('r.example/app#snapshot~ed25519:0');
  });

  it('is for timestamp or snapshot, and never RSA', () => {
    expect(serverRole('snapshot')).toBe('snapshot');
    for (const role of ['root', 'targets', 'targets/releases', '', 'Timestamp', '__proto__'])
      expect(() => serverRole(role)).toThrow(
        'role: a notary-server holds keys for timestamp and snapshot only',
      );
    for (const algorithm of ['rsa', '', 'ECDSA', 'ecdsa-x509'])
      expect(() => serverAlgorithm(algorithm)).toThrow('only ecdsa and ed25519 keys can be');
  });
});

describe('an error', () => {
  const expected: readonly (readonly [ErrorCode, Code])[] = [
    ['policy.denied', Code.PermissionDenied],
    ['policy.limit', Code.PermissionDenied],
    ['peer.owner-only', Code.PermissionDenied],
    ['statement.unrecognised', Code.InvalidArgument],
    ['key.field-invalid', Code.InvalidArgument],
    ['key.name-invalid', Code.InvalidArgument],
    ['key.revoked', Code.FailedPrecondition],
    ['limits.deadline', Code.DeadlineExceeded],
    ['internal.unexpected', Code.Internal],
  ];

  it.each(expected)('%s becomes status %i', (code, status) => {
    expect(statusOf(new AgentError(code)).code).toBe(status);
  });

  it.each([
    'key.locked',
    'agent.unreachable',
    'agent.stopping',
    'lease.expired',
    'token.absent',
    'audit.write',
    'keyring.missing',
  ] as const)('%s passes, so it is never NotFound', (code) => {
    expect(statusOf(new AgentError(code)).code).toBe(Code.Unavailable);
  });

  it('says what happened and what to do, in what a client reads', () => {
    const status = statusOf(new AgentError('key.locked'));
    expect(status.rawMessage).toBe('touchstone: the key is not loaded (load it with "touchstone unlock")');
    const long = statusOf(new AgentError('policy.denied', { message: 'x'.repeat(5_000) }));
    expect(long.rawMessage.length).toBe(700);
    expect(statusOf(new Error('secret details')).rawMessage).not.toContain('secret');
  });
});
