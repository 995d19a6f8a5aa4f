/**
 * The front's hand on the audit log: stages lines in the order in which the keeper signed, acknowledges what is
 * durable, and has the log sealed by checkpoints while the audit leaf is loaded.
 */
import { checkpointEnvelope, checkpointMessage, checkpointPayload } from '../audit/checkpoint.js';
import type { AuditEntry } from '../audit/chain.js';
import { firstOrderHash } from '../audit/order-hash.js';
import { CHECKPOINT_TYPE, type ActLine, type AuditPeer, type Checkpoint } from '../audit/record.js';
import { AgentError } from '../errors/agent-error.js';
import type { LeafRecord } from '../keys/key-record.js';
import type { KeeperStatus, OrderCount, PendingOrder, Signed } from '../keeper/wire.js';
import type { AuditLog } from '../state/audit-log.js';
import type { KeeperLink } from './keeper-link.js';
import { orderOwn } from './own-order.js';

const LOOK_EVERY_MS = 1_000;
const ACKNOWLEDGE_AFTER_MS = 5;

export interface AuditTrailOptions {
  readonly log: AuditLog;
  readonly keeper: KeeperLink;
  readonly agentVersion: string;
  /** The leaf touchstone/agent#audit, once there is a keyring. */
  readonly auditLeaf: () => LeafRecord | undefined;
  /** Everything up to `sequence` is on disk and sealed. */
  readonly onSealed: (sequence: number) => void;
}

export class AuditTrail implements Disposable {
  readonly #options: AuditTrailOptions;
  readonly #timer: NodeJS.Timeout;
  #acknowledgement: NodeJS.Timeout | undefined;
  #instance = '';
  /** Count and hash of the last order that has a staged line. */
  #orders: OrderCount = { count: 0, hash: '' };
  #checkpoint: Promise<void> | undefined;
  /** The group of lines that is being written, and what all callers who wait for it share. */
  #written: Promise<void> | undefined;
  #flushed: Promise<void> = Promise.resolve();

  constructor(options: AuditTrailOptions) {
    this.#options = options;
    this.#timer = setInterval(() => {
      if (!options.log.writable) options.log.recover();
      if (options.log.needsCheckpoint() !== undefined) void this.seal();
    }, LOOK_EVERY_MS);
    this.#timer.unref();
  }

  get log(): AuditLog {
    return this.#options.log;
  }

  /** Takes over from the front before: what it left unlogged was never released. */
  begin(status: KeeperStatus, pending: readonly PendingOrder[]): void {
    const { log } = this.#options;
    const recorded = log.recordedOrder;
    const known = recorded.instance === status.instance;
    const lost = pending.filter((order) => !known || order.order > recorded.order);
    const first = firstOrderHash(Buffer.from(status.instance, 'hex')).toString('hex');
    const start = { type: 'start', instance: status.instance, agent: this.#options.agentVersion } as const;
    if (!known) log.stage({ ...start, orders: 0, ordersHash: first });
    for (const { order, keyId, messageHash } of lost)
      log.stage({ type: 'unreleased', keyId, hash: messageHash, order });
    if (known) log.stage({ ...start, orders: status.orders.count, ordersHash: status.orders.hash });
    // The front that saw them begin may have ended before it could say so.
    for (const { id, token, owner, expiresAt } of status.leases)
      log.stage({ type: 'act', act: 'lease-found', facts: { lease: id, token, owner, expiresAt } });
    log.flushNow();
    this.#instance = status.instance;
    this.#orders = status.orders;
    this.acknowledge();
  }

  /** @throws AgentError `audit.write` while the log takes no lines: nothing may be ordered then */
  requireWritable(): void {
    if (!this.log.writable && !this.log.recover()) throw new AgentError('audit.write');
  }

  /** Stages the line of one order. Lines of orders must be staged in the order in which they come from the keeper. */
  stageOrder(entry: AuditEntry, signed: Signed): number {
    this.#orders = { count: signed.order, hash: signed.runningHash };
    return this.log.stage(entry);
  }

  /** An order that was signed but will not be released. */
  stageUnreleased(signed: Signed, keyId: string): void {
    this.stageOrder({ type: 'unreleased', keyId, hash: signed.messageHash, order: signed.order }, signed);
    this.flushQuietly();
  }

  /** Logs something that is no signature; a failure to write is heard by the next signature. */
  note(entry: AuditEntry): void {
    this.log.stage(entry);
    this.flushQuietly();
  }

  /** Logs an act of a caller, or of the agent itself. */
  noteAct(act: string, peer: AuditPeer | undefined, facts: ActLine['facts']): void {
    const who = peer === undefined ? {} : { peer: { uid: peer.uid, gid: peer.gid, pid: peer.pid } };
    this.note({ type: 'act', act, ...who, facts });
  }

  /** Resolves when every staged line is as durable as configured. @throws AgentError `audit.write` */
  flush(): Promise<void> {
    const written = this.log.flush();
    if (written !== this.#written) {
      this.#written = written;
      this.#flushed = written.then(() => {
        this.#onWritten();
      });
    }
    return this.#flushed;
  }

  flushQuietly(): void {
    void this.flush().catch(() => undefined);
  }

  /**
   * Tells the keeper, a little later and for many orders at once, up to which one the log has the records. Until then it only
   * remembers more: a front that takes over compares what the keeper remembers with the log itself.
   */
  acknowledge(): void {
    this.#acknowledgement ??= setTimeout(() => {
      this.#acknowledgement = undefined;
      this.#options.keeper.acknowledge(this.log.recordedOrder.order);
    }, ACKNOWLEDGE_AFTER_MS);
  }

  #onWritten(): void {
    this.acknowledge();
    if (this.#checkpoint === undefined && this.log.needsCheckpoint() !== undefined) void this.seal();
  }

  /** Seals the log as it stands, if the audit leaf is loaded; without it the lines stay unsealed. */
  seal(): Promise<void> {
    this.#checkpoint ??= this.#seal()
      .catch(() => undefined)
      .finally(() => {
        this.#checkpoint = undefined;
      });
    return this.#checkpoint;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    clearTimeout(this.#acknowledgement);
  }

  async #seal(): Promise<void> {
    const leaf = this.#options.auditLeaf();
    if (leaf === undefined || this.log.unsealed === 0) return;
    this.requireWritable();
    const { seq, hash } = this.log.head;
    const facts: Omit<Checkpoint, 'format' | 'version'> = {
      seq,
      head: hash,
      time: this.log.timestamp(),
      instance: this.#instance,
      orders: this.#orders.count,
      ordersHash: this.#orders.hash,
    };
    const payload = checkpointPayload(facts);
    await orderOwn(this.#options.keeper, {
      signer: leaf,
      payloadType: CHECKPOINT_TYPE,
      message: checkpointMessage(payload),
      onSigned: (signed) => {
        const dsse = checkpointEnvelope(payload, leaf, signed.signature);
        this.stageOrder({ type: 'checkpoint', order: signed.order, dsse }, signed);
      },
    });
    await this.log.flush();
    this.acknowledge();
    this.#options.onSealed(seq);
  }
}
