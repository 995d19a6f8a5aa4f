/** Codecs: what is written reads back, and only the one canonical form is read. */
import fc from 'fast-check';
import { p256 } from '@noble/curves/nist.js';
import { describe, expect, it } from 'vitest';
import { decodeBase64, encodeBase64 } from '../../src/encoding/base64.js';
import { ecdsaDerFromRaw, ecdsaRawFromDer } from '../../src/encoding/der.js';
import { decodePae, pae } from '../../src/encoding/dsse-pae.js';
import { fromHex, toHex } from '../../src/encoding/hex.js';
import { decodePem, encodePem } from '../../src/encoding/pem.js';
import { SshReader, SshWriter } from '../../src/encoding/ssh-wire.js';
import { printable } from '../../src/encoding/utf8.js';
import { codeOf, thrownBy } from '../support/error-code.js';

const bytes = fc.uint8Array({ maxLength: 200 });

/** What `decode` returns, or undefined when it refuses with the given code. */
function attempt(decode: () => Buffer, code: string): Buffer | undefined {
  try {
    return decode();
  } catch (error) {
    expect(
      thrownBy(() => {
        throw error;
      }).code,
    ).toBe(code);
    return undefined;
  }
}

describe('base64', () => {
  it('reads back what it writes', () => {
    fc.assert(
      fc.property(bytes, (value) => {
        expect(decodeBase64(encodeBase64(value), 'field').equals(value)).toBe(true);
      }),
    );
  });

  it('accepts a text only when it is the encoding of what it decodes to', () => {
    const text = fc.string({
      unit: fc.constantFrom('A', 'Q', 'g', '+', '/', '-', '_', '=', ' ', '\n', 'é'),
      maxLength: 9,
    });
    fc.assert(
      fc.property(text, (candidate) => {
        const decoded = attempt(() => decodeBase64(candidate, 'field'), 'usage.invalid');
        if (decoded !== undefined) expect(encodeBase64(decoded)).toBe(candidate);
      }),
      { numRuns: 2000 },
    );
  });

  it.each(['QQ', 'QQ=', 'QR==', 'QUI', 'Q===', 'QQ==QQ==', '-_-_', 'QUJD\n', ' QUJD', 'QUJD='])(
    'refuses %j',
    (text) => {
      const error = thrownBy(() => decodeBase64(text, 'payload'));
      expect(error.code).toBe('usage.invalid');
      expect(error.message).toContain('payload');
      expect(codeOf(() => decodeBase64(text, 'payload', 'verify.format'))).toBe('verify.format');
    },
  );
});

describe('hex', () => {
  it('reads back what it writes', () => {
    fc.assert(
      fc.property(bytes, (value) => {
        expect(fromHex(toHex(value), 'field').equals(value)).toBe(true);
      }),
    );
  });

  it.each(['a', 'AB', '0x12', 'ag', ' ab', 'ab\n', 'aé'])('refuses %j', (text) => {
    expect(thrownBy(() => fromHex(text, 'keyId')).message).toContain('keyId');
  });
});

describe('DER of ECDSA signatures', () => {
  const half = fc.oneof(
    fc.uint8Array({ minLength: 32, maxLength: 32 }),
    fc
      .uint8Array({ minLength: 1, maxLength: 31 })
      .map((tail) => Uint8Array.from([...new Uint8Array(32 - tail.length), ...tail])),
  );
  const raw = fc.tuple(half, half).map((halves) => Buffer.concat(halves));

  it('reads back what it writes', () => {
    fc.assert(
      fc.property(raw, (signature) => {
        expect(ecdsaRawFromDer(ecdsaDerFromRaw(signature)).equals(signature)).toBe(true);
      }),
    );
  });

  it('is what an independent implementation writes', () => {
    fc.assert(
      fc.property(raw, (signature) => {
        const [r, s] = [signature.subarray(0, 32), signature.subarray(32)].map((part) =>
          BigInt(`0x${part.toString('hex')}`),
        );
        fc.pre(
          r !== undefined &&
            s !== undefined &&
            r > 0n &&
            s > 0n &&
            r < p256.Point.Fn.ORDER &&
            s < p256.Point.Fn.ORDER,
        );
        const oracle = p256.Signature.fromBytes(signature, 'compact').toBytes('der');
        expect(ecdsaDerFromRaw(signature).equals(oracle)).toBe(true);
      }),
    );
  });

  it('reads changed bytes only when they are canonical again', () => {
    fc.assert(
      fc.property(raw, fc.nat(), fc.nat({ max: 255 }), (signature, at, value) => {
        const der = ecdsaDerFromRaw(signature);
        der[at % der.length] = value;
        const read = attempt(() => ecdsaRawFromDer(der), 'verify.format');
        if (read !== undefined) expect(ecdsaDerFromRaw(read).equals(der)).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });

  it('reads arbitrary bytes only when they are canonical', () => {
    const piece = fc.constantFrom(0x30, 0x02, 0x00, 0x01, 0x06, 0x07, 0x7f, 0x80, 0x81, 0xff);
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        const der = Buffer.from(pieces);
        const read = attempt(() => ecdsaRawFromDer(der), 'verify.format');
        if (read !== undefined) expect(ecdsaDerFromRaw(read).equals(der)).toBe(true);
      }),
      { numRuns: 5000 },
    );
  });

  it.each([
    ['nothing', ''],
    ['a set', '3106020101020101'],
    ['a long-form length', '308106020101020101'],
    ['an indefinite length', '30800201010201010000'],
    ['bytes after it', '300602010102010100'],
    ['bytes inside it', '300702010102010100'],
    ['a negative r', '3006020180020101'],
    ['a padded r', '300702020001020101'],
    ['an empty r', '30050200020101'],
    ['one integer', '3003020101'],
    ['three integers', '3009020101020101020101'],
    ['r over 256 bits', `3026022101${'00'.repeat(32)}020101`],
    ['r that is too long', `3027022200${'ff'.repeat(33)}020101`],
    ['r past the end', '3006020901020101'],
  ])('refuses %s', (_, der) => {
    expect(codeOf(() => ecdsaRawFromDer(Buffer.from(der, 'hex')))).toBe('verify.format');
  });

  it('refuses a raw signature of another length', () => {
    expect(codeOf(() => ecdsaDerFromRaw(Buffer.alloc(63)))).toBe('verify.format');
  });
});

describe('DSSE pre-authentication encoding', () => {
  it('is the example of the DSSE protocol page', () => {
    expect(pae('http://example.com/HelloWorld', Buffer.from('hello world')).toString()).toBe(
      'DSSEv1 29 http://example.com/HelloWorld 11 hello world',
    );
  });

  it('reads back what it writes', () => {
    const type = fc.string({
      minLength: 1,
      maxLength: 40,
      unit: fc.integer({ min: 0x21, max: 0x7e }).map((code) => String.fromCharCode(code)),
    });
    fc.assert(
      fc.property(type, bytes, (payloadType, body) => {
        const content = decodePae(pae(payloadType, body));
        expect(content.payloadType).toBe(payloadType);
        expect(content.body.equals(body)).toBe(true);
      }),
    );
  });

  it.each([
    '',
    'DSSEv1',
    'DSSEv1 1 a 1 ',
    'DSSEv1 1 a 1 xy',
    'DSSEv1 01 a 1 x',
    'DSSEv1 1 a 01 x',
    'DSSEv1 +1 a 1 x',
    'DSSEv1 1 a -1 x',
    'DSSEv1 2 a 1 x',
    'DSSEv1 0  1 x',
    'DSSEv1 1   1 x',
    'DSSEv1 1 \n 1 x',
    'DSSEv1 1 a1 x',
    'DSSEv1 99999999999999999999 a 1 x',
    'DSSEv2 1 a 1 x',
    'dssev1 1 a 1 x',
  ])('refuses %j', (text) => {
    expect(codeOf(() => decodePae(Buffer.from(text)))).toBe('statement.unrecognised');
  });
});

describe('PEM', () => {
  it('reads back what it writes, in lines of 64', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 300 }), (der) => {
        const text = encodePem('PUBLIC KEY', der);
        expect(text.split('\n').every((line) => line.length <= 64)).toBe(true);
        expect(decodePem(text, 'key')).toEqual({ label: 'PUBLIC KEY', der: Buffer.from(der) });
        expect(decodePem(`\n${text.replaceAll('\n', '\r\n')}\n`, 'key').der.equals(der)).toBe(true);
      }),
    );
  });

  it.each([
    ['no block', 'hello'],
    ['two labels', '-----BEGIN A-----\nQUJD\n-----END B-----\n'],
    ['two blocks', encodePem('A', Buffer.from('x')).repeat(2)],
    ['no content', '-----BEGIN A-----\n-----END A-----\n'],
    ['content that is not base64', '-----BEGIN A-----\nQQ=\n-----END A-----\n'],
    ['headers', '-----BEGIN A-----\nProc-Type: 4,ENCRYPTED\n\nQUJD\n-----END A-----\n'],
  ])('refuses %s', (_, text) => {
    expect(codeOf(() => decodePem(text, 'key'))).toBe('usage.invalid');
  });
});

describe('SSH wire', () => {
  it('reads back what it writes', () => {
    fc.assert(
      fc.property(
        fc.nat({ max: 255 }),
        fc.nat({ max: 0xffff_ffff }),
        bytes,
        fc.uint8Array({ minLength: 32, maxLength: 32 }),
        (byte, number, string, magnitude) => {
          const written = new SshWriter()
            .u8(byte)
            .u32(number)
            .string(string)
            .mpint(magnitude)
            .raw(string)
            .string('name')
            .toBuffer();
          const reader = new SshReader(written, 'a message');
          expect(reader.u8()).toBe(byte);
          expect(reader.u32()).toBe(number);
          expect(reader.string().equals(string)).toBe(true);
          expect(reader.mpint(32).equals(magnitude)).toBe(true);
          expect(reader.raw(string.length).equals(string)).toBe(true);
          expect(reader.name()).toBe('name');
          reader.end();
        },
      ),
    );
  });

  it('never reads past the end', () => {
    fc.assert(
      fc.property(
        bytes,
        fc.array(fc.constantFrom('u8', 'u32', 'string', 'mpint', 'name'), { maxLength: 8 }),
        (input, steps) => {
          const reader = new SshReader(input, 'a message', 'verify.format');
          let read = 0;
          for (const step of steps) {
            const before = reader.remaining;
            try {
              if (step === 'mpint') reader.mpint(32);
              else reader[step]();
            } catch (error) {
              expect(
                thrownBy(() => {
                  throw error;
                }).code,
              ).toBe('verify.format');
              return;
            }
            read += before - reader.remaining;
          }
          expect(read + reader.remaining).toBe(input.length);
        },
      ),
      { numRuns: 500 },
    );
  });

  // RFC 4251 section 5 gives these three.
  it.each([
    ['', '00000000'],
    ['09a378f9b2e332a7', '0000000809a378f9b2e332a7'],
    ['80', '000000020080'],
  ])('writes the mpint %j as the RFC does', (magnitude, encoded) => {
    const value = Buffer.from(magnitude, 'hex');
    expect(new SshWriter().mpint(value).toBuffer().toString('hex')).toBe(encoded);
    expect(new SshReader(Buffer.from(encoded, 'hex'), 'x').mpint(value.length).equals(value)).toBe(true);
  });

  it.each(['0000000180', '00000001ff', '000000020001', '0000000100', '000000022100'])(
    'refuses the mpint %s in one byte',
    (encoded) => {
      expect(codeOf(() => new SshReader(Buffer.from(encoded, 'hex'), 'x').mpint(1))).toBe('usage.invalid');
    },
  );

  it('refuses bytes that are left, and names that are not ASCII', () => {
    expect(
      codeOf(() => {
        new SshReader(Buffer.alloc(1), 'x').end();
      }),
    ).toBe('usage.invalid');
    expect(codeOf(() => new SshReader(new SshWriter().string('é').toBuffer(), 'x').name())).toBe(
      'usage.invalid',
    );
  });
});

describe('printable text', () => {
  it('holds nothing that moves a cursor, and no more than asked for', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 60 }), fc.nat({ max: 40 }), (text, max) => {
        const shown = printable(text, max);
        expect(Array.from(shown).length).toBeLessThanOrEqual(max);
        expect(shown).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u);
      }),
      { numRuns: 1000 },
    );
  });

  it.each([
    ['plain text', 'plain text'],
    ['a\u001b[31mb', 'a\ufffd[31mb'],
    ['user\u202etxt.exe', 'user\ufffdtxt.exe'],
    ['a\u200bb\u2066c\ufeff', 'a\ufffdb\ufffdc\ufffd'],
    ['\ud800x', '\ufffdx'],
    ['größer 日本', 'größer 日本'],
    ['a\nb\u2028c', 'a\ufffdb\ufffdc'],
  ])('shows %j as %j', (text, shown) => {
    expect(printable(text, 40)).toBe(shown);
  });

  it('cuts by characters, not by halves of them', () => {
    expect(printable('😀😀😀', 3)).toBe('😀😀😀');
    expect(printable('😀😀😀😀', 3)).toBe('😀😀…');
    expect(printable('abcd', 3)).toBe('ab…');
    expect(printable('abcd', 0)).toBe('');
  });
});
