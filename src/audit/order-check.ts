/**
 * The keeper's orders as a log records them: numbers without a gap inside each keeper instance, and the running hash that
 * `start` lines and checkpoints claim. A front that leaves out a record cannot make these agree.
 */
import { asAgentError } from '../errors/agent-error.js';
import { openCheckpoint, readCheckpoint, type AuditKey } from './checkpoint.js';
import {
  beginTally,
  EMPTY_TALLY,
  missingOrders,
  tallyOrder,
  type RecordedOrder,
  type TallyState,
} from './order-tally.js';
import type { AuditLine, Checkpoint, CheckpointLine, StartLine } from './record.js';

/** Lines that a checkpoint may reach back; the agent seals a thousand. */
const MAX_UNSEALED_LINES = 100_000;

interface Seen {
  readonly hash: string;
  readonly tally: TallyState;
}

export class OrderCheck {
  readonly #keys: ReadonlyMap<string, AuditKey>;
  /** Unsealed lines by sequence, oldest first. */
  readonly #seen = new Map<number, Seen>();
  #tally: TallyState = EMPTY_TALLY;
  /** What a `start` line said of orders whose records follow it. */
  #claim: { readonly orders: number; readonly hash: string } | undefined;
  #checkpoints = 0;
  #sealedThrough = 0;

  constructor(keys: readonly AuditKey[]) {
    this.#keys = new Map(keys.map((key) => [key.keyId, key]));
  }

  /** Valid checkpoints so far. */
  get checkpoints(): number {
    return this.#checkpoints;
  }

  /** Last sequence that a valid checkpoint vouches for. */
  get sealedThrough(): number {
    return this.#sealedThrough;
  }

  /** Follows one line and returns what is wrong with it. @param hash of the line */
  follow(line: AuditLine, hash: string): readonly string[] {
    const problems = this.#dispatch(line);
    this.#seen.set(line.seq, { hash, tally: this.#tally });
    if (this.#seen.size > MAX_UNSEALED_LINES) {
      for (const oldest of this.#seen.keys()) {
        this.#seen.delete(oldest);
        break;
      }
    }
    return problems;
  }

  /** What is missing at the end of the log. */
  finish(): readonly string[] {
    return this.#unmetClaim();
  }

  #dispatch(line: AuditLine): readonly string[] {
    switch (line.type) {
      case 'start':
        return this.#start(line);
      case 'sign':
      case 'unreleased':
        return this.#order(line);
      case 'checkpoint':
        return this.#checkpoint(line);
      case 'refuse':
      case 'act':
      case 'continue':
        return [];
    }
  }

  #start(line: StartLine): readonly string[] {
    const problems: string[] = [];
    if (line.instance !== this.#tally.instance) {
      problems.push(...this.#unmetClaim());
      this.#tally = beginTally(line.instance);
    }
    this.#claim = undefined;
    if (line.orders < this.#tally.count) {
      return [...problems, `the keeper counted ${line.orders} orders, the log holds ${this.#tally.count}`];
    }
    this.#claim = { orders: line.orders, hash: line.ordersHash };
    return [...problems, ...this.#checkClaim()];
  }

  #order(recorded: RecordedOrder): readonly string[] {
    const step = tallyOrder(this.#tally, recorded);
    this.#tally = step.state;
    const problems = step.problem === undefined ? [] : [step.problem];
    return [...problems, ...this.#checkClaim()];
  }

  #checkClaim(): readonly string[] {
    const { count, hash } = this.#tally;
    if (this.#claim?.orders !== count) return [];
    const agrees = hash === '' || hash === this.#claim.hash;
    this.#claim = undefined;
    return agrees ? [] : [`the keeper's running hash after order ${count} is another one`];
  }

  #unmetClaim(): readonly string[] {
    const claim = this.#claim;
    if (claim === undefined || claim.orders <= this.#tally.count) return [];
    return [missingOrders(this.#tally.count + 1, claim.orders)];
  }

  #checkpoint(line: CheckpointLine): readonly string[] {
    const problems: string[] = [];
    try {
      const opened = openCheckpoint(line.dsse, this.#keys);
      problems.push(...this.#seal(line, opened.checkpoint));
    } catch (thrown) {
      problems.push(asAgentError(thrown).message);
    }
    problems.push(...this.#countCheckpoint(line));
    return problems;
  }

  /** A checkpoint is an order of its own, whatever it says. */
  #countCheckpoint(line: CheckpointLine): readonly string[] {
    try {
      const { keyId, hash } = readCheckpoint(line.dsse);
      return this.#order({ order: line.order, keyId, hash });
    } catch {
      // It could not be read, which is reported already; its number still counts.
      this.#tally = { instance: this.#tally.instance, count: line.order, hash: '' };
      return [];
    }
  }

  #seal(line: CheckpointLine, checkpoint: Checkpoint): readonly string[] {
    const seen = this.#seen.get(checkpoint.seq);
    const problem = disagreement(line, checkpoint, seen);
    if (problem !== undefined || seen === undefined) return [problem ?? 'nothing to seal'];
    this.#checkpoints += 1;
    // Right after what it seals, the checkpoint's own line holds nothing that is not determined.
    this.#sealedThrough = checkpoint.seq === line.seq - 1 ? line.seq : checkpoint.seq;
    for (const seq of this.#seen.keys()) {
      if (seq > checkpoint.seq) break;
      this.#seen.delete(seq);
    }
    if (seen.tally.hash === '' && this.#tally.count === checkpoint.orders) {
      this.#tally = { ...this.#tally, hash: checkpoint.ordersHash };
    }
    return [];
  }
}

function disagreement(
  line: CheckpointLine,
  checkpoint: Checkpoint,
  seen: Seen | undefined,
): string | undefined {
  const { seq, head, time, instance, orders, ordersHash } = checkpoint;
  if (seen === undefined)
    return `the checkpoint seals line ${seq}, which does not stand in the ${MAX_UNSEALED_LINES} lines before it`;
  if (seen.hash !== head) return `the checkpoint seals another line ${seq}`;
  if (line.time !== time) return 'the time of the line is not the time of its checkpoint';
  if (seen.tally.instance !== instance) return 'the checkpoint was made for another keeper instance';
  if (seen.tally.count !== orders) {
    return orders > seen.tally.count
      ? missingOrders(seen.tally.count + 1, orders)
      : `the checkpoint counts ${orders} orders, the log holds ${seen.tally.count}`;
  }
  if (seen.tally.hash !== '' && seen.tally.hash !== ordersHash) {
    return `the keeper's running hash after order ${orders} is another one: a record up to there was changed`;
  }
  return undefined;
}
