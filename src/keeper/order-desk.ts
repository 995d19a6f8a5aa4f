/**
 * Where orders become signatures. The keeper trusts no front: it checks the first bytes of the message against the kind,
 * the kind against the role in the key's record, and the lease; it hashes the message itself, verifies what a token signed,
 * and counts before anything leaves.
 */
import { CHECKPOINT_TYPE, type Checkpoint } from '../audit/record.js';
import type { KeyAlgorithm } from '../crypto/algorithms.js';
import { digestBytes, digestForKey } from '../crypto/verify.js';
import { decodePae } from '../encoding/dsse-pae.js';
import { AgentError } from '../errors/agent-error.js';
import { prefixMatches } from '../formats/prefixes.js';
import { ANCHOR_TYPE, RECORDS_TYPE } from '../keys/keyring.js';
import { maySignBlind, roleAllows } from '../keys/roles.js';
import type { KeyShelf, ShelfKey } from './key-shelf.js';
import type { Lease } from './lease.js';
import type { OrderLedger } from './order-count.js';
import { refuse, TokenOrders, type Admission, type OrderOrigin } from './token-orders.js';
import { countedHash } from './token-signing.js';
import type { TokenUnit } from './token-unit.js';
import { decodeOrder, encodeSigned, type KeeperEvent, type Order } from './wire.js';

const SIGNATURE_BYTES = 64;
const CHECKPOINT_KIND = `dsse:${CHECKPOINT_TYPE}`;
const RECORDS_KIND = `dsse:${RECORDS_TYPE}`;
const ANCHOR_KIND = `dsse:${ANCHOR_TYPE}`;

export interface OrderDeskOptions {
  readonly shelf: KeyShelf;
  readonly ledger: OrderLedger;
  /** Hex id of this keeper, which checkpoints must name. */
  readonly instance: string;
  readonly unitOf: (token: string) => TokenUnit | undefined;
  readonly onEvent: (event: KeeperEvent) => void;
  /** A lease has no uses left, and no order that it paid for is in work. */
  readonly onSpent: (lease: Lease) => void;
  /** A checkpoint was signed: a lease that only waited for it may end. */
  readonly onCheckpoint: () => void;
}

export class OrderDesk {
  readonly #options: OrderDeskOptions;
  readonly #onToken: TokenOrders;

  constructor(options: OrderDeskOptions) {
    this.#options = options;
    this.#onToken = new TokenOrders({
      checkAgain: (order, admission) => {
        this.#checkAgain(order, admission);
      },
      settle: (lease) => {
        this.#settle(lease);
      },
      release: ({ id, keyId }, hash, signature, from) => {
        options.ledger.prepare(keyId);
        options.ledger.advance(hash);
        this.#release(id, hash, signature, from);
      },
      onEvent: options.onEvent,
    });
  }

  /** @param frame an ORDER without its length; only valid during the call */
  take(frame: Buffer, from: OrderOrigin): void {
    const order = decodeOrder(frame);
    let lease: Lease | undefined;
    try {
      const key = this.#check(order);
      lease = isOwn(key, order.kind) ? undefined : this.#spend(key, order);
      if (key.leaf === undefined) {
        this.#signOnToken(order, { key, lease }, from);
        return;
      }
      this.#signWithLeaf(order, key, from);
    } catch (error) {
      refuse(order.id, error, from);
    }
    this.#settle(lease);
  }

  /** Nobody waits for the orders of a lost front, and their ids are the next one's ids of something else. */
  frontLost(units: Iterable<TokenUnit>): void {
    for (const unit of units) unit.queue.clear(new AgentError('limits.cancelled'));
  }

  /** Takes an order out of the queue of its token. */
  cancel(id: number, units: Iterable<TokenUnit>): boolean {
    if (this.#onToken.leave(id)) return true;
    for (const unit of units) if (unit.queue.cancel(id)) return true;
    return false;
  }

  #check(order: Order): ShelfKey {
    const key = this.#options.shelf.find(order.keyId);
    if (key === undefined) throw new AgentError('key.unknown');
    requireActive(key);
    if (!kindFits(key, order.kind)) throw new AgentError('statement.kind');
    if (!prefixMatches(order.kind, order.message)) throw new AgentError('statement.unrecognised');
    if (order.blind !== (order.kind === 'digest')) throw new AgentError('statement.kind');
    checkForm(order, key.record.algorithm);
    if (order.kind === CHECKPOINT_KIND && key.role === 'audit') this.#checkClaim(order.message);
    return key;
  }

  /** The first lease that admits the order pays for it. @throws AgentError why none does */
  #spend(key: ShelfKey, order: Order): Lease {
    const now = Date.now();
    const { kind, blind } = order;
    const lease = key.leases.find((each) => each.admits(kind, blind, now));
    if (lease === undefined)
      throw key.leases.at(-1)?.refuses(kind, blind, now) ?? new AgentError('key.locked');
    lease.spend();
    return lease;
  }

  /** An order that `lease` paid for has ended, whatever became of it. */
  #settle(lease: Lease | undefined): void {
    lease?.settle();
    if (lease?.isSpent === true) this.#options.onSpent(lease);
  }

  /** What an order waited for may have taken long: its key must still be what it was, and a lease that lives must pay for it. */
  #checkAgain(order: Order, admission: Admission): void {
    const key = this.#options.shelf.find(order.keyId);
    if (key === undefined) throw new AgentError('key.unknown');
    requireActive(key);
    const { lease } = admission;
    if (lease === undefined) return;
    const isOver = Date.now() >= lease.grant.expiresAtMs;
    if (!isOver && key.leases.includes(lease)) return;
    const next = key.leases.find((each) => each.admits(order.kind, order.blind, Date.now()));
    if (next === undefined) throw new AgentError(isOver ? 'lease.expired' : 'key.locked');
    next.spend();
    admission.lease = next;
    this.#settle(lease);
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

  #signWithLeaf(order: Order, key: ShelfKey, from: OrderOrigin): void {
    const { leaf } = key;
    if (leaf === undefined) throw new AgentError('key.locked');
    const { ledger } = this.#options;
    ledger.prepare(order.keyId);
    if (order.blind) {
      const { algorithm } = key.record;
      const signature = leaf.signDigest(digestForKey(algorithm, order.message) ?? order.message);
      const counted = countedHash(order);
      ledger.advance(counted);
      this.#release(order.id, counted, signature, from);
      return;
    }
    const counted = leaf.signCounted(order.message, ledger.state);
    const hash = counted.subarray(SIGNATURE_BYTES);
    this.#release(order.id, hash, counted.subarray(0, SIGNATURE_BYTES), from);
    if (order.kind === CHECKPOINT_KIND) this.#options.onCheckpoint();
  }

  #signOnToken(order: Order, admission: Admission, from: OrderOrigin): void {
    const { home } = admission.key;
    const unit = home === undefined ? undefined : this.#options.unitOf(home.token);
    if (home === undefined || unit === undefined || !unit.loggedIn) throw new AgentError('key.locked');
    // The frame is overwritten when this turn ends.
    const kept: Order = { ...order, message: Buffer.from(order.message) };
    this.#onToken.add({ order: kept, admission, from }, { unit, home: home.home });
  }

  #release(id: number, messageHash: Buffer, signature: Buffer, from: OrderOrigin): void {
    const { ledger } = this.#options;
    ledger.remember(messageHash);
    from.send(encodeSigned(id, ledger.state, messageHash, signature));
  }
}

/** A scheme is for RSA, and a digest is one that the key signs. */
function checkForm({ blind, message, scheme }: Order, algorithm: KeyAlgorithm): void {
  if (scheme !== undefined && algorithm !== 'rsa-3072') {
    throw new AgentError('usage.invalid', { message: 'scheme: only RSA keys have one' });
  }
  if (!blind || digestForKey(algorithm, message, scheme) !== undefined) return;
  const bytes = digestBytes(algorithm, scheme);
  throw new AgentError('statement.unrecognised', {
    message:
      bytes === undefined
        ? `reading the bytes as digest: a key of ${algorithm} signs none`
        : `reading the bytes as digest: a key of ${algorithm} signs ${bytes} bytes here`,
  });
}

/** Documents of the agent itself are paid by no lease; what the root signs for clients is. */
function isOwn(key: ShelfKey, kind: string): boolean {
  return key.role === 'audit' || (key.record.usage === 'root' && kind === ANCHOR_KIND);
}

function requireActive({ record }: ShelfKey): void {
  if (record.usage !== 'sign' || record.state === 'active') return;
  throw new AgentError(record.state === 'retired' ? 'key.retired' : 'key.revoked');
}

/** The audit leaf signs the agent's own documents and nothing else; the root its anchor, and what roots sign for clients. */
function kindFits(key: ShelfKey, kind: string): boolean {
  if (key.role === 'audit') return kind === CHECKPOINT_KIND || kind === RECORDS_KIND;
  if (key.record.usage === 'root' && kind === ANCHOR_KIND) return true;
  return kind === 'digest' ? maySignBlind(key.role) : roleAllows(key.role, kind);
}
