/** How PKCS#11 names, makes and uses each key algorithm. */
import type { Mechanism } from 'pkcs11js';
import type { HashName, KeyAlgorithm } from '../../crypto/algorithms.js';
import type { SignMechanism } from '../token.js';
import {
  CK_PARAMS_RSA_PSS,
  CKG_MGF1_SHA256,
  CKG_MGF1_SHA384,
  CKG_MGF1_SHA512,
  CKK_EC,
  CKK_EC_EDWARDS,
  CKK_RSA,
  CKM_EC_EDWARDS_KEY_PAIR_GEN,
  CKM_EC_KEY_PAIR_GEN,
  CKM_ECDSA,
  CKM_EDDSA,
  CKM_RSA_PKCS,
  CKM_RSA_PKCS_KEY_PAIR_GEN,
  CKM_RSA_PKCS_PSS,
  CKM_SHA256,
  CKM_SHA384,
  CKM_SHA512,
} from './cryptoki.js';
import { P256_PARAMS, type RequiredFlags } from './key-attributes.js';
import type { AttributeValues } from './template.js';

export interface KeyType {
  readonly keyType: number;
  readonly generate: number;
  /** Of the public half, besides its name. */
  readonly publicTemplate: AttributeValues;
  /** What a private key that only signs has to show. */
  readonly signsOnly: RequiredFlags;
}

const EC_SIGNS_ONLY = { CKA_SIGN: true, CKA_DERIVE: false } as const;

export const RSA_EXPONENT = Buffer.of(1, 0, 1);

export const KEY_TYPES: Readonly<Record<KeyAlgorithm, KeyType>> = {
  'ecdsa-p256': {
    keyType: CKK_EC,
    generate: CKM_EC_KEY_PAIR_GEN,
    publicTemplate: { CKA_EC_PARAMS: P256_PARAMS },
    signsOnly: EC_SIGNS_ONLY,
  },
  'ecdsa-p384': {
    keyType: CKK_EC,
    generate: CKM_EC_KEY_PAIR_GEN,
    publicTemplate: { CKA_EC_PARAMS: Buffer.from('06052b81040022', 'hex') },
    signsOnly: EC_SIGNS_ONLY,
  },
  ed25519: {
    keyType: CKK_EC_EDWARDS,
    generate: CKM_EC_EDWARDS_KEY_PAIR_GEN,
    publicTemplate: { CKA_EC_PARAMS: Buffer.from('06032b6570', 'hex') },
    signsOnly: EC_SIGNS_ONLY,
  },
  'rsa-3072': {
    keyType: CKK_RSA,
    generate: CKM_RSA_PKCS_KEY_PAIR_GEN,
    publicTemplate: { CKA_MODULUS_BITS: 3072, CKA_PUBLIC_EXPONENT: RSA_EXPONENT },
    signsOnly: { CKA_SIGN: true, CKA_DECRYPT: false, CKA_UNWRAP: false },
  },
};

const PSS: Readonly<
  Record<HashName, { readonly hashAlg: number; readonly mgf: number; readonly saltLen: number }>
> = {
  sha256: { hashAlg: CKM_SHA256, mgf: CKG_MGF1_SHA256, saltLen: 32 },
  sha384: { hashAlg: CKM_SHA384, mgf: CKG_MGF1_SHA384, saltLen: 48 },
  sha512: { hashAlg: CKM_SHA512, mgf: CKG_MGF1_SHA512, saltLen: 64 },
};

/** The mechanism of PKCS#11, with its parameters. */
export function cryptokiMechanism(mechanism: SignMechanism): Mechanism {
  switch (mechanism) {
    case 'ecdsa':
      return { mechanism: CKM_ECDSA };
    case 'eddsa':
      return { mechanism: CKM_EDDSA };
    case 'rsa-pkcs1':
      return { mechanism: CKM_RSA_PKCS };
    default:
      return {
        mechanism: CKM_RSA_PKCS_PSS,
        parameter: { type: CK_PARAMS_RSA_PSS, ...PSS[mechanism.slice('rsa-pss-'.length) as HashName] },
      };
  }
}
