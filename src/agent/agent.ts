/**
 * The front put together: keyring, policy, usage, audit trail and the pipe, behind one function per method of the protocol. It
 * holds no secret; sealed PINs pass through as they came.
 */
import type { Config } from '../config/document.js';
import { AgentError, asAgentError } from '../errors/agent-error.js';
import type { KeeperCalls, KeeperEvent } from '../keeper/wire.js';
import type { LeafRecord } from '../keys/key-record.js';
import { METHODS, type MethodName } from '../protocol/methods.js';
import { namesCaller } from '../policy/decide.js';
import type { AuditLog } from '../state/audit-log.js';
import { CertificateFolder } from '../state/certificate-folder.js';
import { GuardFolder } from '../state/guard-folder.js';
import { KeyringFile } from '../state/keyring-file.js';
import { loadUsage } from '../state/usage-file.js';
import { AuditTrail } from './audit-trail.js';
import { CertificateBook } from './certificate-book.js';
import { CertificateService } from './certificate-service.js';
import { EventBus } from './event-bus.js';
import { GuardBook } from './guard-book.js';
import { GuardService } from './guard-service.js';
import { KeeperLink } from './keeper-link.js';
import { KeeperView } from './keeper-view.js';
import { KeyBook } from './key-book.js';
import { KeyService } from './key-service.js';
import { KeyringEditor } from './keyring-editor.js';
import { LeaseService } from './lease-service.js';
import { methodHandlers, type AnsweredMethod, type MethodHandlers } from './method-handlers.js';
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

export class Agent implements Disposable {
  readonly events = new EventBus();
  readonly signing: SignPipe;
  readonly policy: PolicyView;
  readonly sshLocks: SshLocks;
  readonly #policyRecord: PolicyRecord;
  readonly #options: AgentOptions;
  readonly #keeper: KeeperLink;
  readonly #keys: KeyBook;
  readonly #certificates: CertificateBook;
  readonly #policy: PolicyFile;
  readonly #trail: AuditTrail;
  readonly #editor: KeyringEditor;
  readonly #usage: UsageBook;
  readonly #guard: GuardBook;
  readonly #view: KeeperView;
  readonly #handlers: MethodHandlers;
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
    this.#view = new KeeperView(parts.keeper, found.status);
    this.#guard = guardOf(options);
    this.#certificates = certificatesOf(options);
    this.#keys = new KeyBook(this.#certificates);
    this.#trail = new AuditTrail({
      log: options.log,
      keeper: parts.keeper,
      agentVersion: options.version,
      auditLeaf: () => this.#loadedAuditLeaf(),
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
    this.#policyRecord = new PolicyRecord(parts.policy, this.#trail);
    this.sshLocks = new SshLocks(parts.keeper, this.#trail, found.sshLocks);
    this.policy = new PolicyView({ keys: this.#keys, policy: parts.policy, usage: parts.usage });
    this.signing = new SignPipe({
      keeper: parts.keeper,
      keys: this.#keys,
      certificates: this.#certificates,
      policy: parts.policy,
      usage: parts.usage,
      trail: this.#trail,
      guard: this.#guard,
    });
    this.#handlers = this.#makeHandlers();
  }

  /** How many connections are open, for `status`. */
  countConnections(count: () => number): void {
    this.#connections = count;
  }

  /**
   * @param params as the method's schema returned them
   * @param gone aborted when the caller does not wait any more
   */
  answer(
    method: AnsweredMethod,
    params: unknown,
    peer: Peer,
    gone: AbortSignal = new AbortController().signal,
  ): Promise<unknown> {
    const handler = this.#handlers[method] as (params: unknown, peer: Peer, gone: AbortSignal) => unknown;
    return new Promise((resolve) => {
      resolve(handler(params, peer, gone));
    });
  }

  /** @throws AgentError `peer.owner-only` when the method is not for this caller */
  requireAccess(method: MethodName, peer: Peer): void {
    if (METHODS[method].access === 'caller' || peer.uid === this.#options.ownerUid) return;
    this.#trail.noteAct('access-refused', peer, { method });
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
    this.#guard.close();
  }

  [Symbol.dispose](): void {
    this.signing[Symbol.dispose]();
    this.#trail[Symbol.dispose]();
    this.#policy[Symbol.dispose]();
    this.#keeper.close();
  }

  #makeHandlers(): MethodHandlers {
    const { version, socket, config } = this.#options;
    const view = this.#view;
    const shared = { keeper: this.#keeper, keys: this.#keys, trail: this.#trail };
    return methodHandlers({
      ...shared,
      version,
      socket,
      view,
      policy: this.#policy,
      policyView: this.policy,
      keyService: new KeyService({
        ...shared,
        editor: this.#editor,
        domain: config.domain,
        loaded: () => view.loaded(),
      }),
      leases: new LeaseService({ ...shared, view }),
      certificates: new CertificateService({ ...shared, certificates: this.#certificates }),
      guard: new GuardService({ guard: this.#guard, policy: this.#policy, trail: this.#trail }),
      connections: () => this.#connections(),
    });
  }

  #loadedAuditLeaf(): LeafRecord | undefined {
    const audit = this.#keys.loaded?.anchor.audit;
    return audit !== undefined && this.#view.covers(audit.keyId) ? audit : undefined;
  }

  #onKeeperEvent(event: KeeperEvent): void {
    switch (event.event) {
      case 'token':
        this.events.publish({ event: 'token', token: { ...event.token } });
        return;
      case 'lease-opened':
        this.#view.track(event.lease);
        this.events.publish({
          event: 'unlocked',
          token: event.lease.token,
          expiresAt: event.lease.expiresAt,
        });
        return;
      case 'lease-ending':
        this.#trail.noteAct('lease-end', undefined, {
          lease: event.lease.id,
          token: event.lease.token,
          reason: event.reason,
        });
        void this.#trail.seal();
        return;
      case 'lease-ended':
        this.#view.drop(event.lease);
        this.events.publish({ event: 'locked', token: event.lease.token, reason: event.reason });
        return;
      case 'waiting':
        this.signing.tellWaiting(event.order, event.token, event.ahead);
        return;
      case 'touch':
        this.events.publish({
          event: 'touch-needed',
          token: event.token,
          secondsLeft: event.secondsLeft,
        });
        return;
      case 'pin-alert': {
        const { token, serial, by, before, after } = event;
        this.#trail.noteAct('pin-alert', undefined, { token, serial, by, before, after });
        this.events.publish(event);
        return;
      }
      case 'absent':
        this.events.publish({
          event: 'token-absent',
          token: event.token,
          secondsLeft: event.secondsLeft,
        });
        return;
      case 'setup':
        this.events.publish({ event: 'setup', token: event.token, step: event.step });
        return;
      case 'unlocked':
        this.#trail.noteAct('unlock', undefined, {
          token: event.lease.token,
          lease: event.lease.id,
          keys: event.loaded,
          expiresAt: event.lease.expiresAt,
          by: 'configuration',
        });
        return;
      case 'unlock-failed':
        this.#trail.noteAct('unlock-refused', undefined, { token: event.token, code: event.error.code });
        return;
      case 'reload':
        this.#policy.reload();
        return;
      case 'drain':
        this.#options.onEnd('drain');
        return;
    }
  }

  #saveUsage(sequence: number): void {
    try {
      this.#usage.save(sequence);
    } catch (error) {
      this.#options.note('usage not saved', { reason: asAgentError(error).message });
    }
  }
}

function certificatesOf({ stateDir, note, config }: AgentOptions): CertificateBook {
  return new CertificateBook({ config: config.certificates, folder: new CertificateFolder(stateDir), note });
}

function guardOf({ stateDir, note }: AgentOptions): GuardBook {
  const guard = new GuardBook(new GuardFolder(stateDir));
  if (guard.problem !== undefined) note('guard not in force', { reason: guard.problem.message });
  return guard;
}
