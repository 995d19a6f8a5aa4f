import { describe, expect, it } from 'vitest';
import { SshWriter } from '../../src/encoding/ssh-wire.js';
import { prefixMatches } from '../../src/formats/prefixes.js';
import { describeUserauth, parseUserauth } from '../../src/formats/ssh-userauth.js';
import { thrownBy } from '../support/error-code.js';
import { userauthBytes } from '../support/signable-bytes.js';

const PLAIN = userauthBytes('publickey');
const HOST_BOUND = userauthBytes('publickey-hostbound-v00@openssh.com');
const RSA_KEY = new SshWriter()
  .string('ssh-rsa')
  .string(Buffer.of(1, 0, 1))
  .string('n')
  .toBuffer();

describe('SSH login requests', () => {
  it('are read field by field', () => {
    const request = parseUserauth(PLAIN);
    expect(request).toMatchObject({ user: 'alice', algorithm: 'ssh-ed25519', hostKeyBlob: undefined });
    expect(request.sessionId.equals(Buffer.alloc(32, 5))).toBe(true);
    expect(parseUserauth(HOST_BOUND).hostKeyBlob?.equals(request.keyBlob)).toBe(true);
    expect(describeUserauth(PLAIN).summary[0]).toBe('SSH login as alice');
    expect(describeUserauth(HOST_BOUND).summary[1]).toMatch(/^server key SHA256:[A-Za-z0-9+/]{43}$/);
  });

  it.each([20, 32, 48, 64])('have a session id of %i bytes', (length) => {
    const bytes = userauthBytes('publickey', { sessionId: Buffer.alloc(length, 1) });
    expect(parseUserauth(bytes).sessionId).toHaveLength(length);
    expect(prefixMatches('ssh.userauth', bytes)).toBe(true);
  });

  it.each([
    ['a session id of another length', userauthBytes('publickey', { sessionId: Buffer.alloc(31, 1) })],
    ['another message', Buffer.from(PLAIN).fill(51, 36, 37)],
    ['no signature', Buffer.from(PLAIN).fill(0, 36 + 1 + 9 + 18 + 13, 36 + 1 + 9 + 18 + 13 + 1)],
    ['another service', Buffer.from(PLAIN.toString('latin1').replace('connection', 'connectioN'), 'latin1')],
    ['another method', Buffer.from(PLAIN.toString('latin1').replace('publickey', 'hostbased'), 'latin1')],
    ['a user with a line feed', Buffer.from(PLAIN.toString('latin1').replace('alice', 'ali\ne'), 'latin1')],
    ['bytes after the end', Buffer.concat([PLAIN, Buffer.of(0)])],
    ['a missing end', PLAIN.subarray(0, -1)],
    ['a host-bound request without its host', HOST_BOUND.subarray(0, -55)],
    ['another algorithm than its key', userauthBytes('publickey', { algorithm: 'ecdsa-sha2-nistp256' })],
    ['SHA-1', userauthBytes('publickey', { algorithm: 'ssh-rsa', keyBlob: RSA_KEY })],
  ])('are refused with %s', (_, bytes) => {
    expect(thrownBy(() => parseUserauth(bytes)).code).toBe('statement.unrecognised');
  });

  it('take RSA keys with SHA-2', () => {
    for (const algorithm of ['rsa-sha2-256', 'rsa-sha2-512']) {
      expect(parseUserauth(userauthBytes('publickey', { algorithm, keyBlob: RSA_KEY })).algorithm).toBe(
        algorithm,
      );
    }
  });
});
