/**
 * The front put together: keyring, policy, usage, audit trail and the pipe, behind one function per method of the protocol. It
 * holds no secret; sealed PINs pass through as they came.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Config } from '../config/document.js';
import { AgentError, asAgentError } from '../errors/agent-error.js';
import type { KeeperCalls, KeeperEvent, KeeperStatus, LeaseStatus } from '../keeper/wire.js';
import { PROTOCOL_VERSION, LIMITS } from '../protocol/limits.js';
import { METHODS, type MethodName, type Params, type Result } from '../protocol/methods.js';
import { namesCaller } from '../policy/decide.js';
import type { AuditLog } from '../state/audit-log.js';
import { KeyringFile } from '../state/keyring-file.js';
import { loadUsage } from '../state/usage-file.js';
import { AuditTrail } from './audit-trail.js';
import { EventBus } from './event-bus.js';
import { KeeperLink } from './keeper-link.js';
import { KeyBook } from './key-book.js';
import { KeyService } from './key-service.js';
import { KeyringEditor } from './keyring-editor.js';
import type { Peer } from './peer.js';
import { PolicyFile } from './policy-file.js';
import { PolicyRecord } from './policy-record.js';
import { PolicyView } from './policy-view.js';
import { SignPipe } from './sign.js';
import { SshLocks } from './ssh-locks.js';
import { UsageBook } from './usage-book.js';

export interface AgentOptions {
  readonly keeperFd: number;
  readonly config: Config;
  readonly policyFile: string;
  readonly stateDir: string;
  readonly usageFile: string;
  readonly socket: string;
  readonly version: string;
  readonly ownerUid: number;
  readonly log: AuditLog;
  /** One line for the agent's own log. */
  readonly note: (what: string, facts: Readonly<Record<string, string | number>>) => void;
  /** The keeper is gone, or asked this process to end. */
  readonly onEnd: (reason: 'keeper-lost' | 'drain') => void;
}

/** Longest wait for the log before a lock, milliseconds. */
const SEAL_MS = 2_000;
/** Many leaves of a slow token take long; the record of who unlocked must not be lost to a shorter deadline. Milliseconds. */
const UNLOCK_MS = LIMITS.maxDeadlineMs;

/** Methods that answer with a promise; `sign`, `events.subscribe` and `cancel` belong to the connection. */
export type AnsweredMethod = Exclude<MethodName, 'sign' | 'events.subscribe' | 'cancel'>;

export class Agent implements Disposable {
  readonly events = new EventBus();
  readonly signing: SignPipe;
  readonly policy: PolicyView;
  readonly sshLocks: SshLocks;
  readonly #policyRecord: PolicyRecord;
  readonly #options: AgentOptions;
  readonly #keeper: KeeperLink;
  readonly #keys = new KeyBook();
  readonly #policy: PolicyFile;
  readonly #trail: AuditTrail;
  readonly #editor: KeyringEditor;
  readonly #service: KeyService;
  readonly #usage: UsageBook;
  #status: KeeperStatus;
  #connections = (): number => 0;

  /** @throws AgentError what keyring, log or keeper report: the front does not start with a broken one */
  static async start(options: AgentOptions): Promise<Agent> {
    const running: { agent?: Agent } = {};
    const early: KeeperEvent[] = [];
    const keeper = new KeeperLink({
      fd: options.keeperFd,
      onEvent: (event) => {
        if (running.agent === undefined) early.push(event);
        else running.agent.#onKeeperEvent(event);
      },
      onClose: () => {
        options.onEnd('keeper-lost');
      },
    });
    const policy = new PolicyFile(options.policyFile, options.ownerUid, (problem) => {
      if (running.agent !== undefined) running.agent.#policyRecord.note();
      running.agent?.events.publish({ event: 'policy', problem: problem?.toData() ?? null });
      if (problem !== undefined) options.note('policy not in force', { reason: problem.message });
    });
    const usage = new UsageBook(
      options.usageFile,
      await loadUsage(options.usageFile, options.log, (rule) => policy.limitsOf(rule) !== undefined),
    );
    // After everything that may fail: a front that has said hello is started again when it ends, one that has not is not.
    const hello = await keeper.call('hello', {});
    const agent = new Agent(options, { keeper, policy, usage }, hello);
    agent.#editor.load();
    agent.#trail.begin(hello.status, hello.pending);
    agent.#policyRecord.note();
    for (const event of early) agent.#onKeeperEvent(event);
    running.agent = agent;
    return agent;
  }

  private constructor(
    options: AgentOptions,
    parts: { keeper: KeeperLink; policy: PolicyFile; usage: UsageBook },
    found: KeeperCalls['hello']['result'],
  ) {
    this.#options = options;
    this.#keeper = parts.keeper;
    this.#policy = parts.policy;
    this.#usage = parts.usage;
    this.#status = found.status;
    this.#trail = new AuditTrail({
      log: options.log,
      keeper: parts.keeper,
      agentVersion: options.version,
      auditLeaf: () => (this.#auditLoaded() ? this.#keys.loaded?.anchor.audit : undefined),
      onSealed: (sequence) => {
        this.#saveUsage(sequence);
      },
    });
    this.#editor = new KeyringEditor({
      keeper: parts.keeper,
      trail: this.#trail,
      keys: this.#keys,
      file: new KeyringFile(options.stateDir),
    });
    this.#service = new KeyService({
      keeper: parts.keeper,
      keys: this.#keys,
      editor: this.#editor,
      trail: this.#trail,
      domain: options.config.domain,
      loaded: () => this.#loaded(),
    });
    this.#policyRecord = new PolicyRecord(parts.policy, this.#trail);
    this.sshLocks = new SshLocks(parts.keeper, this.#trail, found.sshLocks);
    this.policy = new PolicyView({ keys: this.#keys, policy: parts.policy, usage: parts.usage });
    this.signing = new SignPipe({
      keeper: parts.keeper,
      keys: this.#keys,
      policy: parts.policy,
      usage: parts.usage,
      trail: this.#trail,
    });
  }

  /** How many connections are open, for `status`. */
  countConnections(count: () => number): void {
    this.#connections = count;
  }

  /** @param params as the method's schema returned them */
  answer(method: AnsweredMethod, params: unknown, peer: Peer): Promise<unknown> {
    const handler = this.#handlers[method] as (params: unknown, peer: Peer) => unknown;
    return new Promise((resolve) => {
      resolve(handler(params, peer));
    });
  }

  /** @throws AgentError `peer.owner-only` when the method is not for this caller */
  requireAccess(method: MethodName, peer: Peer): void {
    if (METHODS[method].access === 'caller' || peer.uid === this.#options.ownerUid) return;
    this.#noteAct('access-refused', peer, { method });
    throw new AgentError('peer.owner-only', { details: { method, uid: peer.uid } });
  }

  /** Whether a caller is let in: the owner, and whom configuration or policy name. */
  admits(caller: Pick<Peer, 'uid' | 'gid' | 'socket'>): boolean {
    const { ownerUid, config } = this.#options;
    return (
      caller.uid === ownerUid ||
      config.allowUids.includes(caller.uid) ||
      namesCaller(this.#policy.policy, caller)
    );
  }

  /** Finishes what waits, seals the log. */
  async drain(deadlineMs: number): Promise<void> {
    this.events.publish({ event: 'stopping' });
    const end = Date.now() + deadlineMs;
    while (this.signing.waiting > 0 && Date.now() < end)
      await new Promise((resolve) => setTimeout(resolve, 10));
    await this.#trail.seal();
    this.#saveUsage(this.#trail.log.head.seq);
  }

  [Symbol.dispose](): void {
    this.signing[Symbol.dispose]();
    this.#trail[Symbol.dispose]();
    this.#policy[Symbol.dispose]();
    this.#keeper.close();
  }

  readonly #handlers: {
    readonly [M in AnsweredMethod]: (params: Params<M>, peer: Peer) => Promise<Result<M>> | Result<M>;
  } = {
    hello: ({ protocol }, peer) => {
      if (protocol !== PROTOCOL_VERSION)
        throw new AgentError('rpc.version', { details: { agent: PROTOCOL_VERSION } });
      return {
        agent: this.#options.version,
        protocol: PROTOCOL_VERSION,
        pid: this.#status.pid,
        uid: peer.uid,
        limits: { ...LIMITS },
      };
    },
    status: () => this.#statusReply(),
    'tokens.list': async () => {
      const { tokens } = await this.#keeper.call('tokens', {});
      return { tokens: tokens.map((token) => ({ ...token })) };
    },
    'tokens.setup': (params, peer) => this.#service.setup(params, peer),
    'keys.list': ({ all }) => this.#service.list(all ?? false),
    'keys.show': ({ key }) => this.#service.show(key),
    'keys.derive': ({ key }, peer) => this.#service.derive(key, peer),
    'keys.create': (params, peer) => this.#service.create(params, peer),
    'keys.rotate': ({ key }, peer) => this.#service.rotate(key, peer),
    'keys.revoke': ({ key, reason }, peer) => this.#service.revoke(key, reason, peer),
    'keys.install': (params, peer) => this.#service.install(params, peer),
    'unlock.begin': async ({ token }) => ({ ...(await this.#keeper.call('unlock.begin', { token })) }),
    'unlock.finish': (params, peer) => this.#unlock(params, peer),
    lock: (params, peer) => this.#lock(params.token, peer),
    'audit.query': async (params) => {
      const page = await this.#trail.log.query({
        after: params.after,
        limit: params.limit ?? 100,
        key: params.key,
        outcome: params.outcome,
      });
      return { records: page.records.map((record) => ({ ...record })), last: page.last };
    },
    'policy.explain': (params, peer) => this.policy.explain(params, peer),
  };

  async #unlock(params: Params<'unlock.finish'>, peer: Peer): Promise<Result<'unlock.finish'>> {
    const { pin, useLastTry, keys, kinds, uses, seconds, blind } = params;
    const ids = keys?.map((name) => this.#keys.keyring.resolve(name).keyId);
    try {
      const answer = await this.#keeper.call(
        'unlock.finish',
        {
          pin,
          useLastTry,
          owner: peer.uid,
          lease: { keys: ids, kinds, uses, seconds, blind },
        },
        UNLOCK_MS,
      );
      const { lease, loaded } = answer;
      this.#noteAct('unlock', peer, {
        token: lease.token,
        lease: lease.id,
        keys: loaded,
        expiresAt: lease.expiresAt,
      });
      this.#trackLease(lease);
      return { lease: publicLease(lease), loaded };
    } catch (error) {
      const failed = asAgentError(error);
      this.#noteAct('unlock-refused', peer, { code: failed.code });
      throw failed;
    }
  }

  async #lock(token: string | undefined, peer: Peer): Promise<Result<'lock'>> {
    this.#noteAct('lock', peer, { token: token ?? 'all' });
    // A disk that hangs must not keep keys loaded that somebody wants gone.
    await Promise.race([this.#trail.seal(), delay(SEAL_MS, undefined, { ref: false })]);
    const answer = await this.#keeper.call('lock', { token });
    this.#status = {
      ...this.#status,
      leases: this.#status.leases.filter((lease) => token !== undefined && lease.token !== token),
    };
    return answer;
  }

  async #statusReply(): Promise<Result<'status'>> {
    this.#status = await this.#keeper.call('status', {});
    const { log } = this.#trail;
    const leaves = this.#keys.loaded?.leaves() ?? [];
    return {
      agent: this.#options.version,
      pid: this.#status.pid,
      frontPid: process.pid,
      startedAt: this.#status.startedAt,
      socket: this.#options.socket,
      domain: this.#keys.loaded?.anchor.domain ?? null,
      tokens: this.#status.tokens.map((token) => ({ ...token })),
      leases: this.#status.leases.map(publicLease),
      keys: {
        total: leaves.length,
        active: leaves.filter((leaf) => leaf.state === 'active').length,
        loaded: this.#status.loaded,
      },
      orders: { ...this.#status.orders },
      audit: { sequence: log.head.seq, head: log.head.hash, unsealed: log.unsealed, writable: log.writable },
      policy: {
        file: this.#policy.path,
        rules: this.#policy.policy.rules.length,
        problem: this.#policy.problem?.toData() ?? null,
      },
      connections: this.#connections(),
    };
  }

  async #loaded(): Promise<ReadonlySet<string>> {
    this.#status = await this.#keeper.call('status', {});
    return new Set(this.#status.leases.flatMap((lease) => lease.keys));
  }

  #auditLoaded(): boolean {
    const audit = this.#keys.loaded?.anchor.audit.keyId;
    return audit !== undefined && this.#status.leases.some((lease) => lease.keys.includes(audit));
  }

  #trackLease(lease: LeaseStatus): void {
    const others = this.#status.leases.filter((known) => known.id !== lease.id);
    this.#status = { ...this.#status, leases: [...others, lease] };
  }

  #dropLease(lease: LeaseStatus): void {
    this.#status = { ...this.#status, leases: this.#status.leases.filter((known) => known.id !== lease.id) };
  }

  #onKeeperEvent(event: KeeperEvent): void {
    switch (event.event) {
      case 'token':
        this.events.publish({ event: 'token', token: { ...event.token } });
        return;
      case 'lease-opened':
        this.#trackLease(event.lease);
        this.events.publish({
          event: 'unlocked',
          token: event.lease.token,
          expiresAt: event.lease.expiresAt,
        });
        return;
      case 'lease-ending':
        this.#noteAct('lease-end', undefined, {
          lease: event.lease.id,
          token: event.lease.token,
          reason: event.reason,
        });
        void this.#trail.seal();
        return;
      case 'lease-ended':
        this.#dropLease(event.lease);
        this.events.publish({ event: 'locked', token: event.lease.token, reason: event.reason });
        return;
      case 'waiting':
        this.signing.tellWaiting(event.order, event.token, event.ahead);
        return;
      case 'unlocked':
        this.#noteAct('unlock', undefined, {
          token: event.lease.token,
          lease: event.lease.id,
          keys: event.loaded,
          expiresAt: event.lease.expiresAt,
          by: 'configuration',
        });
        return;
      case 'unlock-failed':
        this.#noteAct('unlock-refused', undefined, { token: event.token, code: event.error.code });
        return;
      case 'reload':
        this.#policy.reload();
        return;
      case 'drain':
        this.#options.onEnd('drain');
        return;
    }
  }

  #noteAct(act: string, peer: Peer | undefined, facts: Readonly<Record<string, string | number>>): void {
    this.#trail.note({
      type: 'act',
      act,
      ...(peer === undefined ? {} : { peer: { uid: peer.uid, gid: peer.gid, pid: peer.pid } }),
      facts,
    });
  }

  #saveUsage(sequence: number): void {
    try {
      this.#usage.save(sequence);
    } catch (error) {
      this.#options.note('usage not saved', { reason: asAgentError(error).message });
    }
  }
}

function publicLease(lease: LeaseStatus): Result<'status'>['leases'][number] {
  return { ...lease, keys: [...lease.keys], kinds: [...lease.kinds] };
}
