/** Keys that are made on a token and never leave it: for algorithms that are not derived, and for whoever wants no copy anywhere. */
import { randomBytes } from 'node:crypto';
import { keyIdOf } from '../crypto/key-id.js';
import { rawFromSpki } from '../crypto/public-key.js';
import { AgentError } from '../errors/agent-error.js';
import { formatKeyName } from '../keys/key-name.js';
import type { LeafRecord, TokenHome } from '../keys/key-record.js';
import { isAgentRole, ROOT_ROLE } from '../keys/roles.js';
import type { KeyShelf } from './key-shelf.js';
import type { LeaseBook } from './lease-book.js';
import type { PinDesk } from './pin-desk.js';
import type { TokenUnit } from './token-unit.js';
import type { Unlocking } from './unlocking.js';
import type { CreateFields, KeeperCalls } from './wire.js';

/** RSA on a slow card takes its time. */
const GENERATE_DEADLINE_MS = 120_000;
const FIND_DEADLINE_MS = 10_000;
const ID_BYTES = 8;

export interface KeyMakingParts {
  readonly shelf: KeyShelf;
  readonly leases: LeaseBook;
  readonly pins: PinDesk;
  readonly units: ReadonlyMap<string, TokenUnit>;
  readonly unlocking: Unlocking;
}

type Params = KeeperCalls['create']['params'];
type MadeKey = KeeperCalls['create']['result'];

export class KeyMaking {
  readonly #parts: KeyMakingParts;

  constructor(parts: KeyMakingParts) {
    this.#parts = parts;
  }

  /** @throws AgentError `token.unknown`, `token.locked`, `token.object-exists`, `token.unsupported`, and what the driver reports */
  create({ fields, token, pin, useLastTry }: Params): Promise<MadeKey> {
    if (pin === undefined) {
      const unit = this.#unit(token);
      return unit.section(() => this.#make(unit, fields));
    }
    const opened = this.#parts.pins.open(pin);
    const unit = this.#unit(opened.token);
    return unit
      .section(() => this.#makeWithPin(unit, opened.pin, fields, useLastTry))
      .finally(() => opened.pin.fill(0));
  }

  /** @throws AgentError `token.unknown`, `token.absent`, `token.key-missing` */
  find({ token, publicKey }: KeeperCalls['find']['params']): Promise<TokenHome> {
    const unit = this.#unit(token);
    return unit.section(async () => {
      await unit.open();
      const { result } = await unit.call('findPublicKey', { publicKey }, FIND_DEADLINE_MS);
      return { token: unit.status().uri, id: result.id, label: result.label };
    });
  }

  /** For a token that holds none of our keys yet, and so cannot be unlocked; it is locked again afterwards. */
  async #makeWithPin(
    unit: TokenUnit,
    pin: Buffer,
    fields: CreateFields,
    useLastTry: string | undefined,
  ): Promise<MadeKey> {
    if (unit.loggedIn) return this.#make(unit, fields);
    await this.#parts.unlocking.login(unit, pin, useLastTry);
    try {
      return await this.#make(unit, fields);
    } finally {
      this.#parts.shelf.forgetHome(unit.config.name);
      unit.end();
    }
  }

  async #make(unit: TokenUnit, fields: CreateFields): Promise<MadeKey> {
    if (!unit.loggedIn) {
      throw new AgentError('token.locked', {
        message: `token "${unit.config.name}" is locked`,
        hint: `touchstone unlock --token ${unit.config.name}`,
      });
    }
    // Orders for the agent's own roles are paid by no lease, and index 0 of a root is the name of the keyring's own.
    if (isAgentRole(fields.role) || (fields.role === ROOT_ROLE && fields.index === 0))
      throw new AgentError('key.usage');
    const object = { id: randomBytes(ID_BYTES).toString('hex'), label: formatKeyName(fields) };
    const { result } = await unit.call(
      'generateSigningKey',
      { ...object, algorithm: fields.algorithm },
      GENERATE_DEADLINE_MS,
    );
    const { publicKey } = result;
    if (publicKey === undefined) throw new AgentError('token.key-missing');
    const spki = Buffer.from(publicKey, 'base64');
    if (rawFromSpki(spki).algorithm !== fields.algorithm) throw new AgentError('token.unsupported');
    const home = { token: unit.status().uri, ...object };
    const made = { keyId: keyIdOf(spki), publicKey, home };
    this.#load(unit, { usage: 'sign', ...fields, ...made, state: 'active', createdAt: '', homes: [home] });
    return made;
  }

  /** The leases of the token cover it from now on; the front records it and has the keyring read again. */
  #load(unit: TokenUnit, record: LeafRecord): void {
    const { shelf, leases } = this.#parts;
    const [home] = record.homes;
    const key = shelf.put({ ...record, origin: 'token' });
    if (home !== undefined) key.home = { token: unit.config.name, home };
    for (const lease of leases.ofToken(unit.config.name)) {
      lease.cover(record.keyId);
      shelf.cover(lease);
    }
  }

  #unit(token: string): TokenUnit {
    const { units } = this.#parts;
    const unit = units.get(token) ?? [...units.values()].find((each) => each.status().uri === token);
    if (unit !== undefined) return unit;
    throw new AgentError('token.unknown', {
      message: `no token "${token}" is configured`,
      details: { configured: [...units.keys()] },
    });
  }
}
