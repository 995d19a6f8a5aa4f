/**
 * The pipe: Request → Statement → Decision → Guard → Order → Signature → Record. The only place that orders a signature for a client.
 * A batch is one decision, one audit group and one reply: all of it is signed, or none of it is released.
 */
import type { AuditEntry } from '../audit/chain.js';
import { printable } from '../encoding/utf8.js';
import { AgentError, asAgentError } from '../errors/agent-error.js';
import type { Signed } from '../keeper/wire.js';
import type { UsageDemand } from '../policy/usage.js';
import { LIMITS } from '../protocol/limits.js';
import { admit, type Admitted, type AdmissionParts, type SignAsked } from './admission.js';
import type { AuditTrail } from './audit-trail.js';
import type { GuardBook, GuardedBatch } from './guard-book.js';
import type { KeeperLink } from './keeper-link.js';
import type { Peer } from './peer.js';

/** A signature that is on record. */
export interface Released {
  readonly signature: Buffer;
  readonly keyId: string;
  readonly auditId: number;
}

export interface SignCall {
  readonly peer: Peer;
  readonly requests: readonly SignAsked[];
  readonly timeoutMs: number;
  /** One for each request, in their order. */
  readonly onDone: (signatures: readonly Released[]) => void;
  readonly onFailed: (error: AgentError) => void;
  /** It waits for `token` behind `ahead` others. */
  readonly onWaiting: (token: string, ahead: number) => void;
}

export interface SignPipeParts extends AdmissionParts {
  readonly keeper: KeeperLink;
  readonly trail: AuditTrail;
  readonly guard: GuardBook;
}

/** Deadlines are looked at this often: precise enough for people and cheap enough for 60,000 calls a second. */
const SWEEP_MS = 100;

export class SignPipe implements Disposable {
  readonly #parts: SignPipeParts;
  readonly #jobs = new Set<SignJob>();
  readonly #sweeper: NodeJS.Timeout;

  constructor(parts: SignPipeParts) {
    this.#parts = parts;
    this.#sweeper = setInterval(() => {
      this.#sweep(Date.now());
    }, SWEEP_MS);
    this.#sweeper.unref();
  }

  /** Calls that wait for the keeper or the log. */
  get waiting(): number {
    return this.#jobs.size;
  }

  /** @returns what `cancel` takes, or undefined when the call has ended already */
  submit(call: SignCall): SignJob | undefined {
    const nowMs = Date.now();
    let at = 0;
    try {
      if (call.requests.length > LIMITS.batch) throw new AgentError('limits.batch');
      this.#parts.trail.requireWritable();
      const admitted: Admitted[] = [];
      for (const request of call.requests) {
        admitted.push(admit(this.#parts, call.peer, request, nowMs));
        at += 1;
      }
      const guarded = this.#parts.guard.look(admitted);
      this.#spend(admitted, nowMs);
      guarded?.persist();
      const job = new SignJob(this.#parts, { call, admitted, guarded }, nowMs + call.timeoutMs, (ended) => {
        this.#jobs.delete(ended);
      });
      this.#jobs.add(job);
      job.order();
      return job;
    } catch (thrown) {
      this.#refuse(call, call.requests[Math.min(at, call.requests.length - 1)], asAgentError(thrown));
      return undefined;
    }
  }

  /** For doors that refuse before they ask: resolves when the refusal is logged. */
  refuse(peer: Peer, request: Pick<SignAsked, 'key' | 'kind'>, error: AgentError): Promise<void> {
    return new Promise((resolve) => {
      const onFailed = (): void => {
        resolve();
      };
      this.#refuse({ peer, onFailed }, request, error);
    });
  }

  /** The keeper says that an order waits for its token. */
  tellWaiting(order: number, token: string, ahead: number): void {
    for (const job of this.#jobs) if (job.orders.includes(order)) job.tellWaiting(token, ahead);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#sweeper);
  }

  /** Counts the batch against the limits of its rules. @throws AgentError `policy.limit` */
  #spend(admitted: readonly Admitted[], nowMs: number): void {
    const { policy, usage } = this.#parts;
    if (!policy.hasLimits) return;
    const demands = new Map<string, UsageDemand>();
    for (const { rule } of admitted) {
      const limits = policy.limitsOf(rule);
      const uses = (demands.get(rule)?.uses ?? 0) + 1;
      if (limits !== undefined) demands.set(rule, { rule, limits, uses });
    }
    usage.spend([...demands.values()], nowMs);
  }

  /** Refusals are logged too, before the caller hears of them. */
  #refuse(
    call: Pick<SignCall, 'peer' | 'onFailed'>,
    request: Pick<SignAsked, 'key' | 'kind'> | undefined,
    error: AgentError,
  ): void {
    const { trail } = this.#parts;
    if (!trail.log.writable) {
      call.onFailed(error);
      return;
    }
    trail.log.stage(refusal(call.peer, request, error));
    trail.flush().then(
      () => {
        call.onFailed(error);
      },
      (failed: unknown) => {
        call.onFailed(asAgentError(failed));
      },
    );
  }

  #sweep(nowMs: number): void {
    for (const job of this.#jobs) {
      if (job.deadlineMs <= nowMs) job.abandon(new AgentError('limits.deadline'));
    }
  }
}

/** A call of which every request was admitted. */
interface AdmittedCall {
  readonly call: SignCall;
  readonly admitted: readonly Admitted[];
  readonly guarded: GuardedBatch | undefined;
}

/** One call on its way through keeper and log. */
export class SignJob {
  readonly deadlineMs: number;
  readonly #parts: SignPipeParts;
  readonly #call: SignCall;
  readonly #admitted: readonly Admitted[];
  readonly #guarded: GuardedBatch | undefined;
  readonly #onEnd: (job: SignJob) => void;
  readonly #orders: number[] = [];
  readonly #signatures: Released[];
  #missing: number;
  /** Orders that the keeper has refused. */
  #refused = 0;
  #group: number | undefined;
  #ended = false;

  constructor(
    parts: SignPipeParts,
    { call, admitted, guarded }: AdmittedCall,
    deadlineMs: number,
    onEnd: (job: SignJob) => void,
  ) {
    this.#parts = parts;
    this.#call = call;
    this.#admitted = admitted;
    this.#guarded = guarded;
    this.deadlineMs = deadlineMs;
    this.#onEnd = onEnd;
    this.#missing = admitted.length;
    this.#signatures = new Array<Released>(admitted.length);
  }

  /** Keeper order numbers, for matching events to this call. */
  get orders(): readonly number[] {
    return this.#orders;
  }

  order(): void {
    const { keeper } = this.#parts;
    const deadlineMs = this.#call.timeoutMs;
    for (const [at, item] of this.#admitted.entries()) {
      const { key, kind, message, scheme, statement } = item;
      this.#orders.push(
        keeper.order(
          { keyId: key.rawId, kind, blind: statement.blind, deadlineMs, message, scheme },
          {
            onSigned: (signed) => {
              this.#onSigned(at, item, signed);
            },
            onRefused: (error) => {
              this.#onRefused(item, error);
            },
          },
        ),
      );
    }
  }

  tellWaiting(token: string, ahead: number): void {
    this.#call.onWaiting(token, ahead);
  }

  /** Ends the call; what is still queued is taken out, what comes back anyway is logged as never released. */
  abandon(error: AgentError): void {
    const [first] = this.#admitted;
    if (first !== undefined) this.#fail(first, error);
  }

  #onSigned(at: number, item: Admitted, signed: Signed): void {
    const { trail } = this.#parts;
    const { keyId } = item.key.record;
    if (this.#ended) {
      trail.stageUnreleased(signed, keyId);
      return;
    }
    const auditId = trail.stageOrder(this.#line(item, signed), signed);
    this.#signatures[at] = { signature: signed.signature, keyId, auditId };
    this.#missing -= 1;
    if (this.#missing > 0) {
      trail.flush().catch(this.#onUnlogged);
      return;
    }
    trail.flush().then(this.#release, this.#onUnlogged);
  }

  #onRefused(item: Admitted, error: AgentError): void {
    // The keeper releases nothing that it refuses; a lost one may have signed.
    if (error.code !== 'agent.keeper-lost') this.#refused += 1;
    if (this.#refused === this.#admitted.length) this.#guarded?.withdraw();
    this.#fail(item, error);
  }

  #line(item: Admitted, signed: Signed): AuditEntry {
    const { key, kind, statement, rule, certificate } = item;
    if (this.#admitted.length > 1) this.#group ??= this.#parts.trail.log.nextSequence;
    return {
      type: 'sign',
      group: this.#group,
      // The same object for each line of a connection: its text is made once.
      peer: this.#call.peer,
      key: key.name,
      keyId: key.record.keyId,
      kind,
      rule,
      ...(statement.blind ? { blind: true } : {}),
      summary: statement.summary,
      document: this.#guarded?.documentOf(item),
      ...(certificate === undefined ? {} : { certificate }),
      hash: signed.messageHash,
      order: signed.order,
    };
  }

  readonly #release = (): void => {
    if (this.#ended) return;
    this.#end();
    this.#call.onDone(this.#signatures);
  };

  readonly #onUnlogged = (error: unknown): void => {
    if (this.#ended) return;
    this.#end();
    this.#call.onFailed(asAgentError(error));
  };

  #fail(item: Admitted, error: AgentError): void {
    if (this.#ended) return;
    this.#end();
    const { trail, keeper } = this.#parts;
    if (this.#missing > 0) for (const order of this.#orders) keeper.cancel(order);
    const request = { key: item.key.name, kind: item.kind };
    trail.log.stage(refusal(this.#call.peer, request, error));
    trail.flush().then(
      () => {
        this.#call.onFailed(error);
      },
      () => {
        this.#call.onFailed(error);
      },
    );
  }

  #end(): void {
    this.#ended = true;
    this.#onEnd(this);
  }
}

function refusal(
  peer: Peer,
  request: Pick<SignAsked, 'key' | 'kind'> | undefined,
  error: AgentError,
): AuditEntry {
  const rule = error.details?.['rule'];
  return {
    type: 'refuse',
    peer,
    key: printable(request?.key ?? '', 512),
    kind: printable(request?.kind ?? '', 256),
    code: error.code,
    ...(typeof rule === 'string' ? { rule } : {}),
    message: error.message,
  };
}
