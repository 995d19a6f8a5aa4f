/**
 * A SoftHSM token whose derivation secret the test knows, so that it can compute every leaf by itself and look for it
 * where it must not be. The agent adopts it with `token setup --adopt --backend hmac`.
 */
import { randomBytes } from 'node:crypto';
import { p256 } from '@noble/curves/nist.js';
import pkcs11js from 'pkcs11js';
import { encodeContext, saltFor, type DeriveContext } from '../../src/crypto/derive.js';
import { evaluateHmac, shapePrivate } from './reference-derivation.js';
import { SoftHsmDirect } from './softhsm-direct.js';
import { PIN, SOFTHSM_MODULE, SoftHsmStore } from './softhsm-store.js';

const LABEL = 'known';

function named(label: string): { readonly id: string; readonly label: string } {
  return { id: Buffer.from(label).toString('hex'), label };
}

const SIGNS_ONLY = [
  { type: pkcs11js.CKA_PRIVATE, value: true },
  { type: pkcs11js.CKA_SENSITIVE, value: true },
  { type: pkcs11js.CKA_EXTRACTABLE, value: false },
  { type: pkcs11js.CKA_SIGN, value: true },
  { type: pkcs11js.CKA_DERIVE, value: false },
];

export class KnownToken implements Disposable {
  readonly #store = new SoftHsmStore(LABEL);
  readonly #secret = randomBytes(32);

  /** `pin` becomes the user PIN. */
  constructor(pin: string) {
    using direct = new SoftHsmDirect(this.#store, LABEL);
    const root = p256.utils.randomSecretKey();
    direct.importEc(
      named('touchstone-root'),
      Buffer.from(root),
      Buffer.from(p256.getPublicKey(root, false)),
      SIGNS_ONLY,
    );
    direct.importSecret(named('touchstone-derivation'), this.#secret, SIGNS_ONLY);
    direct.calls.C_SetPIN(direct.session, PIN, pin);
  }

  /** Arguments of `touchstone init` that choose this token. */
  get initArguments(): readonly string[] {
    return ['--module', SOFTHSM_MODULE, '--token', `pkcs11:token=${LABEL}`];
  }

  /** The line of its [[token]] table that leads the driver to the store. */
  get environmentLine(): string {
    return `env = { SOFTHSM2_CONF = "${String(this.#store.environment['SOFTHSM2_CONF'])}" }`;
  }

  /** PRF value and private key (scalar or seed) of a leaf, computed in software. */
  leaf(fields: DeriveContext): { readonly prf: Buffer; readonly secret: Buffer } {
    const context = encodeContext(fields);
    const prf = evaluateHmac(this.#secret, context);
    return {
      prf,
      secret: shapePrivate({ algorithm: fields.algorithm, salt: saltFor('hmac'), prf, context }),
    };
  }

  [Symbol.dispose](): void {
    this.#store[Symbol.dispose]();
  }
}
