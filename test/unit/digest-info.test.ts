/** DigestInfo of PKCS#1 v1.5: what is read is exactly what would be written, and nothing else is read. */
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { digestInfo, MAX_DIGEST_INFO_BYTES, readDigestInfo } from '../../src/crypto/rsa-digest.js';

const HASHES = ['sha256', 'sha384', 'sha512'] as const;

describe.each(HASHES)('DigestInfo of %s', (hash) => {
  const digest = createHash(hash).update('text').digest();
  const info = digestInfo(hash, digest);

  it('is read back', () => {
    expect(readDigestInfo(info)).toEqual({ hash, digest });
    expect(info.length).toBeLessThanOrEqual(MAX_DIGEST_INFO_BYTES);
  });

  it('is not read with any bit of its head changed', () => {
    for (let bit = 0; bit < (info.length - digest.length) * 8; bit += 1) {
      const changed = Buffer.from(info);
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(readDigestInfo(changed)).toBeUndefined();
    }
  });

  it('is not read when it is shorter or longer', () => {
    for (let length = 0; length < info.length; length += 1)
      expect(readDigestInfo(info.subarray(0, length))).toBeUndefined();
    expect(readDigestInfo(Buffer.concat([info, Buffer.alloc(1)]))).toBeUndefined();
    expect(readDigestInfo(digest)).toBeUndefined();
  });

  it('is not read without the NULL that RFC 8017 writes', () => {
    const short = Buffer.concat([
      Buffer.of(0x30, (info[1] ?? 0) - 2, 0x30, 0x0b),
      info.subarray(4, 15),
      info.subarray(17),
    ]);
    expect(readDigestInfo(short)).toBeUndefined();
  });
});
