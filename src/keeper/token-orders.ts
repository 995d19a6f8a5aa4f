/**
 * Orders for keys that stay on a token: each waits in the queue of its token, and is checked again when its turn comes. Where a key wants
 * a finger, orders for the same bytes share one touch: the signature is one, and each order is counted and answered for itself.
 */
import { createHash } from 'node:crypto';
import { AgentError, asAgentError } from '../errors/agent-error.js';
import type { TokenHome } from '../keys/key-record.js';
import { LIMITS } from '../protocol/limits.js';
import type { ShelfKey } from './key-shelf.js';
import type { Lease } from './lease.js';
import { countedHash, isSignatureOf, tokenInput, type TokenTask } from './token-signing.js';
import type { TokenUnit } from './token-unit.js';
import { encodeJsonFrame, FrameType, type KeeperEvent, type Order } from './wire.js';

/**
 * A driver that has not signed by then is ended, and its session with it: longer than any token waits for a touch. Not the caller's
 * own deadline: a client in a hurry must not cost everybody the unlocked token, nor a patient one their time. Milliseconds.
 */
const DRIVER_DEADLINE_MS = LIMITS.defaultDeadlineMs;

/** The front that gave an order: the only one that may have the answer. */
export interface OrderOrigin {
  /** False once its pipe has ended; another front may have taken its place. */
  isOpen(): boolean;
  send(frame: Buffer): void;
}

export interface Admission {
  readonly key: ShelfKey;
  /** What pays for the order: another one when it ended meanwhile; none for the agent's own documents, whose keys come from the anchor. */
  lease: Lease | undefined;
}

export interface TokenOrder {
  readonly order: Order;
  readonly admission: Admission;
  readonly from: OrderOrigin;
}

interface TokenPlace {
  readonly unit: TokenUnit;
  readonly home: TokenHome;
}

/** Orders that one signature answers. */
interface Shared {
  readonly job: number;
  readonly deadlineMs: number;
  readonly place: TokenPlace;
  readonly members: TokenOrder[];
  isRunning: boolean;
}

export interface TokenOrdersParts {
  /** @throws AgentError when the key is not what it was, or no lease is left that covers the order */
  readonly checkAgain: (order: Order, admission: Admission) => void;
  /** An order has ended, whatever became of it. */
  readonly settle: (lease: Lease | undefined) => void;
  /** Counts the order and sends its signature. */
  readonly release: (order: Order, messageHash: Buffer, signature: Buffer, from: OrderOrigin) => void;
  readonly onEvent: (event: KeeperEvent) => void;
}

export class TokenOrders {
  readonly #parts: TokenOrdersParts;
  /** What waits for a finger, by key and bytes. */
  readonly #shared = new Map<string, Shared>();

  constructor(parts: TokenOrdersParts) {
    this.#parts = parts;
  }

  /** @throws AgentError `limits.queue` */
  add(member: TokenOrder, place: TokenPlace): void {
    if (!place.unit.wantsTouch(place.home.id)) {
      const { id: job, deadlineMs } = member.order;
      this.#queue({ job, deadlineMs, place, members: [member], isRunning: false });
      return;
    }
    const name = nameOf(member.order, place);
    const waiting = this.#shared.get(name);
    if (waiting !== undefined) {
      if (waiting.members.length >= LIMITS.queuePerToken) throw new AgentError('limits.queue');
      waiting.members.push(member);
      return;
    }
    // Who joins later has a later deadline; the front ends each order at its own.
    const waits = { job: member.order.id, deadlineMs: LIMITS.maxDeadlineMs };
    const shared: Shared = { ...waits, place, members: [member], isRunning: false };
    this.#shared.set(name, shared);
    try {
      this.#queue(shared, () => this.#shared.delete(name));
    } catch (error) {
      this.#shared.delete(name);
      throw error;
    }
  }

  /** Takes an order away from others that wait for the same touch. False when it is alone, or its turn has come. */
  leave(id: number): boolean {
    for (const { members, isRunning } of this.#shared.values()) {
      const at = isRunning || members.length < 2 ? -1 : members.findIndex(({ order }) => order.id === id);
      const [left] = at < 0 ? [] : members.splice(at, 1);
      if (left === undefined) continue;
      this.#refuse(left, new AgentError('limits.cancelled'));
      return true;
    }
    return this.#cancelJobOf(id);
  }

  /** The job of shared orders has the number of the first one, which may have left. */
  #cancelJobOf(id: number): boolean {
    const alone = [...this.#shared.values()].find(({ members }) => members[0]?.order.id === id);
    if (alone === undefined || alone.isRunning) return false;
    return alone.place.unit.queue.cancel(alone.job);
  }

  #queue(shared: Shared, onEnd: () => void = () => undefined): void {
    const { unit } = shared.place;
    unit.queue.add({
      id: shared.job,
      deadlineMs: shared.deadlineMs,
      run: async () => {
        shared.isRunning = true;
        await this.#run(shared).finally(onEnd);
      },
      onDropped: (error) => {
        onEnd();
        for (const member of shared.members) this.#refuse(member, error);
      },
      onWaiting: (ahead) => {
        for (const { order, from } of shared.members) {
          if (from.isOpen())
            this.#parts.onEvent({ event: 'waiting', order: order.id, token: unit.config.name, ahead });
        }
      },
    });
  }

  async #run({ place, members }: Shared): Promise<void> {
    const done = new Set<TokenOrder>();
    try {
      const first = this.#firstAdmitted(members, done);
      if (first === undefined) return;
      const { raw, task } = await this.#sign(first, place);
      // Others have come while the token waited for its finger.
      for (const member of members) if (!done.has(member)) this.#answer(member, { raw, task });
    } catch (error) {
      for (const member of members) if (!done.has(member)) refuse(member.order.id, error, member.from);
    }
    for (const { admission } of members) this.#parts.settle(admission.lease);
  }

  /** The first order that somebody waits for and that may still be signed; those before it are `done`. */
  #firstAdmitted(members: readonly TokenOrder[], done: Set<TokenOrder>): TokenOrder | undefined {
    for (const member of members) {
      if (member.from.isOpen()) {
        try {
          this.#parts.checkAgain(member.order, member.admission);
          return member;
        } catch (error) {
          refuse(member.order.id, error, member.from);
        }
      }
      done.add(member);
    }
    return undefined;
  }

  async #sign(
    { order, admission }: TokenOrder,
    { unit, home }: TokenPlace,
  ): Promise<{ readonly raw: Buffer; readonly task: TokenTask }> {
    const { verifier, record } = admission.key;
    const { scheme, blind, message, kind } = order;
    const task: TokenTask = { algorithm: record.algorithm, scheme, blind, message };
    const { mechanism, data } = tokenInput(task);
    const key = { ...home, algorithm: record.algorithm, mechanism };
    const { raw } =
      record.algorithm === 'ecdsa-p256'
        ? await unit.call('signDigest', home, DRIVER_DEADLINE_MS, data)
        : await unit.call('signData', key, DRIVER_DEADLINE_MS, data);
    if (isSignatureOf(task, verifier, raw)) return { raw, task };
    throw new AgentError('token.bad-signature', { details: { token: unit.config.name, kind } });
  }

  #answer(
    { order, admission, from }: TokenOrder,
    { raw, task }: { readonly raw: Buffer; readonly task: TokenTask },
  ): void {
    try {
      this.#parts.checkAgain(order, admission);
      // Nobody is left who could log or release it, and the next front numbers its orders anew: it ends here, uncounted.
      if (from.isOpen()) this.#parts.release(order, countedHash(task), raw, from);
    } catch (error) {
      refuse(order.id, error, from);
    }
  }

  #refuse({ order, admission, from }: TokenOrder, error: AgentError): void {
    refuse(order.id, error, from);
    this.#parts.settle(admission.lease);
  }
}

export function refuse(id: number, error: unknown, from: OrderOrigin): void {
  from.send(encodeJsonFrame(FrameType.refused, id, asAgentError(error).toData()));
}

/** Equal for orders that have the same signature as their answer. */
function nameOf({ keyId, kind, blind, scheme, message }: Order, { unit }: TokenPlace): string {
  const hash = createHash('sha256').update(message).digest('hex');
  return [unit.config.name, keyId, kind, blind, scheme ?? '', hash].join('\0');
}
