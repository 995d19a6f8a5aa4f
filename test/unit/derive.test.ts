/** The frozen vectors of derive v1. A change that fails here would give every user other keys. */
import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { DerivedAlgorithm } from '../../src/crypto/algorithms.js';
import {
  DERIVE_SUITE,
  encodeContext,
  peerPoint,
  saltFor,
  type DeriveContext,
} from '../../src/crypto/derive.js';
import { otpChallenge, otpCheck, stretchPassphrase } from '../../src/crypto/otp-derive.js';
import { normalisePassphrase } from '../../src/crypto/passphrase.js';
import { Leaf } from '../../src/crypto/leaf.js';
import { rawFromSpki } from '../../src/crypto/public-key.js';
import { thrownBy } from '../support/error-code.js';
import { evaluateEc, evaluateHmac, publicOf, shapePrivate } from '../support/reference-derivation.js';

interface Fields {
  readonly domain: string;
  readonly repository: string;
  readonly role: string;
  readonly algorithm: string;
  readonly epoch: number;
  readonly index: number;
}

interface Vector extends Fields {
  readonly backend: 'ec' | 'hmac' | 'otp';
  readonly secret: string;
  readonly context: string;
  readonly prf: string;
  readonly private: string;
  readonly public: string;
  readonly point?: string;
  readonly passphrase?: string;
  readonly response?: string;
  readonly work?: string;
}

interface VectorFile {
  readonly suite: string;
  readonly vectors: readonly Vector[];
  readonly rejected: readonly (Fields & { readonly field: string })[];
}

const file = JSON.parse(
  readFileSync(new URL('../vectors/derivation.json', import.meta.url), 'utf8'),
) as VectorFile;

function fieldsOf({ domain, repository, role, algorithm, epoch, index }: Fields): DeriveContext {
  return { domain, repository, role, algorithm: algorithm as DerivedAlgorithm, epoch, index };
}

const hex = (text: string): Buffer => Buffer.from(text, 'hex');
const onToken = file.vectors.filter((vector) => vector.backend !== 'otp');

it('covers both PKCS#11 backends and both algorithms', () => {
  expect(file.suite).toBe(DERIVE_SUITE);
  const kinds = new Set(onToken.map(({ backend, algorithm }) => `${backend} ${algorithm}`));
  expect([...kinds].sort()).toEqual(['ec ecdsa-p256', 'ec ed25519', 'hmac ecdsa-p256', 'hmac ed25519']);
  expect(file.rejected.length).toBeGreaterThanOrEqual(21);
});

describe.each(file.vectors.map((vector, number) => ({ ...vector, number })))(
  'vector $number: $backend $repository#$role@$epoch~$algorithm:$index',
  (vector) => {
    it('has this context', () => {
      expect(encodeContext(fieldsOf(vector)).toString('hex')).toBe(vector.context);
    });
  },
);

describe.each(onToken.map((vector, number) => ({ ...vector, number })))(
  'vector $number on a token',
  (vector) => {
    const context = hex(vector.context);

    it('has this PRF value', () => {
      if (vector.backend === 'ec') {
        expect(peerPoint(context).toString('hex')).toBe(vector.point);
        expect(evaluateEc(hex(vector.secret), peerPoint(context)).toString('hex')).toBe(vector.prf);
      } else {
        expect(evaluateHmac(hex(vector.secret), context).toString('hex')).toBe(vector.prf);
      }
    });

    it('has this private and public key in the reference', () => {
      const salt = saltFor(vector.backend === 'ec' ? 'ec' : 'hmac');
      const secret = shapePrivate({ algorithm: vector.algorithm, salt, prf: hex(vector.prf), context });
      expect(secret.toString('hex')).toBe(vector.private);
      expect(publicOf(vector.algorithm, secret).toString('hex')).toBe(vector.public);
    });

    it('has this public key behind the native handle, and the PRF value is overwritten', () => {
      const salt = saltFor(vector.backend === 'ec' ? 'ec' : 'hmac');
      const prf = hex(vector.prf);
      using leaf = Leaf.derive({ algorithm: fieldsOf(vector).algorithm, salt, prf, context });
      expect(rawFromSpki(leaf.publicKeySpki()).raw.toString('hex')).toBe(vector.public);
      expect(prf.every((byte) => byte === 0)).toBe(true);
    });
  },
);

const onSlot = file.vectors.filter((vector) => vector.backend === 'otp');

describe.each(onSlot.map((vector, number) => ({ ...vector, number })))(
  'vector $number of an OTP slot',
  (vector) => {
    const context = hex(vector.context);
    const typed = Buffer.from(vector.passphrase ?? '', 'utf8');

    it('has this response, this work and this PRF value', () => {
      const response = createHmac('sha1', hex(vector.secret)).update(otpChallenge(context)).digest();
      expect(response.toString('hex')).toBe(vector.response);
      const work = stretchPassphrase(normalisePassphrase(typed), vector.domain);
      expect(work.toString('hex')).toBe(vector.work);
      expect(Buffer.concat([response, work]).toString('hex')).toBe(vector.prf);
    });

    it('has this private key in the reference, and this public key behind the native handle', () => {
      const { algorithm } = fieldsOf(vector);
      const salt = saltFor('otp');
      const secret = shapePrivate({ algorithm, salt, prf: hex(vector.prf), context });
      expect(secret.toString('hex')).toBe(vector.private);
      using leaf = Leaf.derive({ algorithm, salt, prf: hex(vector.prf), context });
      expect(rawFromSpki(leaf.publicKeySpki()).raw.toString('hex')).toBe(vector.public);
    });
  },
);

it('covers the OTP slot with both algorithms, and a passphrase that is not normalised', () => {
  expect(onSlot.map(({ algorithm }) => algorithm).sort()).toEqual(['ecdsa-p256', 'ed25519']);
  expect(onSlot.some(({ passphrase = '' }) => passphrase !== passphrase.normalize('NFC'))).toBe(true);
});

describe('the check value of an OTP slot', () => {
  it('depends on response, work and context, and is frozen', () => {
    const [vector] = onSlot;
    const prf = hex(vector?.prf ?? '');
    const context = hex(vector?.context ?? '');
    expect(otpCheck(prf, context)).toBe('d8c03f1e0c4e5fa6379818427606339a');
    for (const at of [0, 19, 20, 51]) {
      const other = Buffer.from(prf);
      other.writeUInt8(other.readUInt8(at) ^ 1, at);
      expect(otpCheck(other, context)).not.toBe(otpCheck(prf, context));
    }
    expect(otpCheck(prf, Buffer.concat([context, Buffer.of(0)]))).not.toBe(otpCheck(prf, context));
  });
});

describe.each(file.rejected.map((fields, number) => ({ ...fields, number })))(
  'rejected $number',
  (fields) => {
    it(`names ${fields.field}`, () => {
      const error = thrownBy(() => encodeContext(fieldsOf(fields)));
      expect(error.code).toBe('key.field-invalid');
      expect(error.details).toEqual({ field: fields.field });
      expect(error.message.startsWith(`${fields.field}: `)).toBe(true);
    });
  },
);
