/**
 * Making keys on tokens: the root and the derivation key at setup, a leaf as a non-extractable object at install. Private halves
 * of root and derivation key are born on the token and never leave it.
 */
import { randomBytes } from 'node:crypto';
import { AgentError } from '../errors/agent-error.js';
import { rawFromSpki } from '../crypto/public-key.js';
import type { DerivationRecord, LeafRecord, RootRecord, TokenHome } from '../keys/key-record.js';
import { formatKeyName } from '../keys/key-name.js';
import type { HostKeyInfo } from '../tokenhost/messages.js';
import { keyIdOf } from '../crypto/key-id.js';
import { deriveLeaf } from './deriving.js';
import { Lease } from './lease.js';
import { requireTyped } from './pin-desk.js';
import { isEmbedded, type TokenUnit } from './token-unit.js';
import { leaseEndMs, type Unlocking, type UnlockParts } from './unlocking.js';
import type { KeeperCalls, SealedPin } from './wire.js';

/** Key generation on slow cards takes seconds. */
const GENERATE_DEADLINE_MS = 60_000;
const SO_PIN_BYTES = 24;
const LETTER_A = 0x61;

const ROOT_OBJECT = { id: Buffer.from('touchstone-root').toString('hex'), label: 'touchstone-root' } as const;
const DERIVATION_OBJECT = {
  id: Buffer.from('touchstone-derivation').toString('hex'),
  label: 'touchstone-derivation',
} as const;

/** The leaf that seals the audit log and derived additions to the keyring. */
const AUDIT_FIELDS = {
  repository: 'touchstone/agent',
  role: 'audit',
  algorithm: 'ecdsa-p256',
  epoch: 1,
  index: 0,
} as const;

type SetupParams = KeeperCalls['setup']['params'];
type SetupResult = KeeperCalls['setup']['result'];

export class Provisioning {
  readonly #parts: UnlockParts;
  readonly #unlocking: Unlocking;

  constructor(parts: UnlockParts, unlocking: Unlocking) {
    this.#parts = parts;
    this.#unlocking = unlocking;
  }

  /** @throws AgentError `keyring.exists`, `token.object-exists`, `token.pin-…` */
  async setup(params: SetupParams): Promise<SetupResult> {
    const { token, pin } = this.#parts.pins.open(params.pin);
    const unit = this.#parts.unitOf(token);
    return unit.section(() => this.#setup(unit, pin, params)).finally(() => pin.fill(0));
  }

  async #setup(unit: TokenUnit, pin: Buffer, params: SetupParams): Promise<SetupResult> {
    if (this.#parts.anchor() !== undefined) throw new AgentError('keyring.exists');
    await this.#initialiseBlank(unit, pin);
    await this.#unlocking.login(unit, pin, params.useLastTry);
    try {
      return await this.#makeKeys(unit, params);
    } catch (error) {
      unit.end();
      throw error;
    }
  }

  /** The SO PIN is drawn here and forgotten: whoever could read it from this disk could read the token file as well. */
  async #initialiseBlank(unit: TokenUnit, pin: Buffer): Promise<void> {
    const info = await unit.open();
    if (info.initialised) return;
    if (!isEmbedded(unit.config)) throw new AgentError('token.not-initialised');
    requireTyped(pin);
    const soPin = drawSoPin();
    const raw = Buffer.alloc(2 + soPin.length + pin.length);
    raw.writeUInt16BE(soPin.length, 0);
    soPin.copy(raw, 2);
    pin.copy(raw, 2 + soPin.length);
    soPin.fill(0);
    await unit.initialise(info.label, raw, GENERATE_DEADLINE_MS);
  }

  async #makeKeys(unit: TokenUnit, params: SetupParams): Promise<SetupResult> {
    const { backend, domain, owner, adopt } = params;
    const derivationObject = { ...DERIVATION_OBJECT, backend };
    const rootKey = await unit.call(
      adopt === true ? 'findSigningKey' : 'generateSigningKey',
      ROOT_OBJECT,
      GENERATE_DEADLINE_MS,
    );
    const derivationKey = await unit.call(
      adopt === true ? 'findDerivationKey' : 'generateDerivationKey',
      derivationObject,
      GENERATE_DEADLINE_MS,
    );
    const uri = unit.status().uri;
    const createdAt = nowText();
    const root = rootRecord(rootKey.result, uri, createdAt);
    const derivation = derivationRecord(derivationKey.result, { uri, createdAt, backend });
    const derived = await deriveLeaf(unit, derivation, domain, AUDIT_FIELDS);
    const audit: LeafRecord = {
      usage: 'sign',
      ...AUDIT_FIELDS,
      keyId: derived.keyId,
      publicKey: derived.spki.toString('base64'),
      state: 'active',
      createdAt,
      homes: [],
    };
    this.#parts.shelf.put(root).home = { token: unit.config.name, home: root.home };
    const shelved = this.#parts.shelf.put(audit);
    // Loaded already when an earlier setup ended half-way.
    shelved.leaf?.wipe();
    shelved.leaf = derived.leaf;
    const lease = new Lease({
      token: unit.config.name,
      owner,
      keys: new Set([root.keyId, audit.keyId]),
      kinds: [],
      uses: undefined,
      expiresAtMs: leaseEndMs(this.#parts.config, params.seconds),
      blind: false,
    });
    this.#parts.leases.open(lease);
    return { root, derivation, audit, lease: lease.status() };
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
    const scalar = Buffer.alloc(32);
    try {
      leaf.exportInto(scalar);
      const { raw: point } = rawFromSpki(Buffer.from(record.publicKey, 'base64'));
      const object = { id: record.keyId.slice(0, 16), label: formatKeyName(record) };
      const imported = await unit.call(
        'importSigningKey',
        { ...object, publicPoint: Buffer.from(point).toString('base64') },
        GENERATE_DEADLINE_MS,
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

/** Letters a to p, four bits each; never a string. */
function drawSoPin(): Buffer {
  const pin = randomBytes(SO_PIN_BYTES);
  for (const [at, byte] of pin.entries()) pin[at] = LETTER_A + (byte & 0x0f);
  return pin;
}

function nowText(): string {
  return new Date().toISOString().replace(/\.\d{3}Z$/, 'Z');
}

function rootRecord(info: HostKeyInfo, uri: string, createdAt: string): RootRecord {
  const publicKey = info.publicKey;
  if (publicKey === undefined)
    throw new AgentError('token.key-missing', { message: 'the root key has no public half' });
  return {
    usage: 'root',
    name: 'touchstone/root#root',
    algorithm: 'ecdsa-p256',
    keyId: keyIdOf(Buffer.from(publicKey, 'base64')),
    publicKey,
    createdAt,
    home: { token: uri, id: info.id, label: info.label },
  };
}

function derivationRecord(
  info: HostKeyInfo,
  facts: { uri: string; createdAt: string; backend: DerivationRecord['backend'] },
): DerivationRecord {
  const { publicKey } = info;
  return {
    usage: 'derive',
    name: 'touchstone/derivation#derive',
    backend: facts.backend,
    backup: 'generated',
    createdAt: facts.createdAt,
    home: { token: facts.uri, id: info.id, label: info.label },
    ...(publicKey === undefined ? {} : { publicKey, keyId: keyIdOf(Buffer.from(publicKey, 'base64')) }),
  };
}
