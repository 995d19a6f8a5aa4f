/** Putting a leaf into a second token as a key that cannot leave it again. */
import { rawFromSpki } from '../crypto/public-key.js';
import { secretBuffer } from '../crypto/secret-bytes.js';
import { AgentError } from '../errors/agent-error.js';
import { formatKeyName } from '../keys/key-name.js';
import type { TokenHome } from '../keys/key-record.js';
import type { TokenUnit } from './token-unit.js';
import type { Unlocking, UnlockParts } from './unlocking.js';
import type { SealedPin } from './wire.js';

/** Storing a key on slow cards takes seconds. */
const IMPORT_DEADLINE_MS = 60_000;

export class Installing {
  readonly #parts: UnlockParts;
  readonly #unlocking: Unlocking;

  constructor(parts: UnlockParts, unlocking: Unlocking) {
    this.#parts = parts;
    this.#unlocking = unlocking;
  }

  /**
   * Imports a loaded leaf into a second token and proves it there; the second token is locked again afterwards, because its
   * host has seen the scalar.
   */
  async install(keyId: string, sealed: SealedPin, useLastTry: string | undefined): Promise<TokenHome> {
    const { token, pin } = this.#parts.pins.open(sealed);
    const unit = this.#parts.unitOf(token);
    return unit.section(() => this.#install(unit, keyId, pin, useLastTry)).finally(() => pin.fill(0));
  }

  async #install(
    unit: TokenUnit,
    keyId: string,
    pin: Buffer,
    useLastTry: string | undefined,
  ): Promise<TokenHome> {
    const key = this.#parts.shelf.get(keyId);
    const { record, leaf } = key;
    if (record.usage !== 'sign' || key.role === 'audit') throw new AgentError('key.usage');
    if (record.algorithm !== 'ecdsa-p256') {
      throw new AgentError('token.unsupported', { message: 'only P-256 keys can be installed on a token' });
    }
    if (leaf === undefined) throw new AgentError('key.locked');
    await this.#unlocking.login(unit, pin, useLastTry);
    const scalar = secretBuffer(32);
    try {
      leaf.exportInto(scalar);
      const { raw: point } = rawFromSpki(Buffer.from(record.publicKey, 'base64'));
      const object = { id: record.keyId.slice(0, 16), label: formatKeyName(record) };
      const imported = await unit.call(
        'importSigningKey',
        { ...object, publicPoint: Buffer.from(point).toString('base64') },
        IMPORT_DEADLINE_MS,
        scalar,
      );
      if (imported.result.publicKey !== record.publicKey) throw new AgentError('key.mismatch');
      return { token: unit.status().uri, id: imported.result.id, label: imported.result.label };
    } finally {
      scalar.fill(0);
      unit.end();
    }
  }
}
