/**
 * Where orders become signatures. The keeper trusts no front: it checks the first bytes of the message against the kind,
 * the kind against the role in the key's record, and the lease; it hashes the message itself, verifies what a token signed,
 * and counts before anything leaves.
 */
import { createHash } from 'node:crypto';
import { CHECKPOINT_TYPE, type Checkpoint } from '../audit/record.js';
import { decodePae } from '../encoding/dsse-pae.js';
import { AgentError, asAgentError } from '../errors/agent-error.js';
import { prefixMatches } from '../formats/prefixes.js';
import { ANCHOR_TYPE, RECORDS_TYPE } from '../keys/keyring.js';
import { roleAllows } from '../keys/roles.js';
import { LIMITS } from '../protocol/limits.js';
import type { KeyShelf, ShelfKey } from './key-shelf.js';
import type { Lease } from './lease.js';
import type { OrderLedger } from './order-count.js';
import type { TokenUnit } from './token-unit.js';
import {
  decodeOrder,
  encodeJsonFrame,
  encodeSigned,
  FrameType,
  type KeeperEvent,
  type Order,
} from './wire.js';

const SIGNATURE_BYTES = 64;
/**
 * A driver that has not signed by then is ended, and its session with it. Not the caller's own deadline: a client in a hurry must
 * not cost everybody the unlocked token. Milliseconds.
 */
const DRIVER_DEADLINE_MS = LIMITS.defaultDeadlineMs;
const CHECKPOINT_KIND = `dsse:${CHECKPOINT_TYPE}`;
const RECORDS_KIND = `dsse:${RECORDS_TYPE}`;
const ANCHOR_KIND = `dsse:${ANCHOR_TYPE}`;

export interface OrderDeskOptions {
  readonly shelf: KeyShelf;
  readonly ledger: OrderLedger;
  /** Hex id of this keeper, which checkpoints must name. */
  readonly instance: string;
  readonly unitOf: (token: string) => TokenUnit | undefined;
  readonly send: (frame: Buffer) => void;
  readonly onEvent: (event: KeeperEvent) => void;
  /** A lease has no uses left. */
  readonly onSpent: (lease: Lease) => void;
  /** A checkpoint was signed: a lease that only waited for it may end. */
  readonly onCheckpoint: () => void;
}

export class OrderDesk {
  readonly #options: OrderDeskOptions;

  constructor(options: OrderDeskOptions) {
    this.#options = options;
  }

  /** @param frame an ORDER without its length; only valid during the call */
  take(frame: Buffer): void {
    const order = decodeOrder(frame);
    try {
      const key = this.#admit(order);
      if (key.leaf !== undefined) this.#signWithLeaf(order, key);
      else this.#signOnToken(order, key);
    } catch (error) {
      this.#refuse(order.id, asAgentError(error));
    }
  }

  /** Takes an order out of the queue of its token. */
  cancel(id: number, units: Iterable<TokenUnit>): boolean {
    for (const unit of units) if (unit.queue.cancel(id)) return true;
    return false;
  }

  #admit(order: Order): ShelfKey {
    const key = this.#options.shelf.find(order.keyId);
    if (key === undefined) throw new AgentError('key.unknown');
    requireActive(key);
    if (!kindFits(key, order.kind)) throw new AgentError('statement.kind');
    if (!prefixMatches(order.kind, order.message)) throw new AgentError('statement.unrecognised');
    if (order.blind !== (order.kind === 'digest')) throw new AgentError('statement.kind');
    if (key.role === 'audit' || key.role === 'root') {
      if (order.kind === CHECKPOINT_KIND) this.#checkClaim(order.message);
      return key;
    }
    this.#spend(key, order);
    return key;
  }

  #spend(key: ShelfKey, order: Order): void {
    const now = Date.now();
    let refusal: AgentError | undefined;
    for (const lease of key.leases) {
      refusal = lease.refuses(order.kind, order.blind, now);
      if (refusal !== undefined) continue;
      lease.spend();
      if (lease.usesLeft <= 0) this.#options.onSpent(lease);
      return;
    }
    throw refusal ?? new AgentError('key.locked');
  }

  /** A checkpoint may only claim a count and hash that the keeper itself reached. */
  #checkClaim(message: Buffer): void {
    const claim = JSON.parse(decodePae(message).body.toString('utf8')) as Checkpoint;
    const mine =
      claim.instance === this.#options.instance &&
      this.#options.ledger.confirms({ count: claim.orders, hash: claim.ordersHash });
    if (!mine) {
      throw new AgentError('audit.broken', {
        message: 'the checkpoint does not repeat the count of the keeper',
      });
    }
  }

  #signWithLeaf(order: Order, key: ShelfKey): void {
    const { leaf } = key;
    if (leaf === undefined) throw new AgentError('key.locked');
    const { ledger } = this.#options;
    ledger.prepare(order.keyId);
    if (order.blind) {
      const signature = leaf.signDigest(order.message);
      const digest = Buffer.from(order.message);
      ledger.advance(digest);
      this.#release(order.id, digest, signature);
      return;
    }
    const counted = leaf.signCounted(order.message, ledger.state);
    this.#release(order.id, counted.subarray(SIGNATURE_BYTES), counted.subarray(0, SIGNATURE_BYTES));
    if (order.kind === CHECKPOINT_KIND) this.#options.onCheckpoint();
  }

  #signOnToken(order: Order, key: ShelfKey): void {
    const home = key.home;
    const unit = home === undefined ? undefined : this.#options.unitOf(home.token);
    if (home === undefined || unit === undefined || !unit.loggedIn) throw new AgentError('key.locked');
    const message = Buffer.from(order.message);
    const { id, keyId, kind, blind } = order;
    unit.queue.add({
      id,
      deadlineMs: order.deadlineMs,
      run: async (leftMs) => {
        try {
          const digest = blind ? Buffer.from(message) : createHash('sha256').update(message).digest();
          const deadlineMs = Math.max(leftMs, DRIVER_DEADLINE_MS);
          const { raw } = await unit.call('signDigest', home.home, deadlineMs, Buffer.from(digest));
          const good = blind ? key.verifier.verifyDigest(digest, raw) : key.verifier.verify(message, raw);
          if (!good)
            throw new AgentError('token.bad-signature', { details: { token: unit.config.name, kind } });
          this.#options.ledger.prepare(keyId);
          this.#options.ledger.advance(digest);
          this.#release(id, digest, raw);
        } catch (error) {
          this.#refuse(id, asAgentError(error));
        }
      },
      onDropped: (error) => {
        this.#refuse(id, error);
      },
      onWaiting: (ahead) => {
        this.#options.onEvent({ event: 'waiting', order: id, token: unit.config.name, ahead });
      },
    });
  }

  #release(id: number, messageHash: Buffer, signature: Buffer): void {
    const { ledger } = this.#options;
    ledger.remember(messageHash);
    this.#options.send(encodeSigned(id, ledger.state, messageHash, signature));
  }

  #refuse(id: number, error: AgentError): void {
    this.#options.send(encodeJsonFrame(FrameType.refused, id, error.toData()));
  }
}

function requireActive({ record }: ShelfKey): void {
  if (record.usage !== 'sign' || record.state === 'active') return;
  throw new AgentError(record.state === 'retired' ? 'key.retired' : 'key.revoked');
}

/** The agent's own keys sign the agent's own documents and nothing else. */
function kindFits(key: ShelfKey, kind: string): boolean {
  if (key.role === 'audit') return kind === CHECKPOINT_KIND || kind === RECORDS_KIND;
  if (key.role === 'root') return kind === ANCHOR_KIND;
  return kind === 'digest' || roleAllows(key.role, kind);
}
