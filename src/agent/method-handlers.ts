/** One function for each method that answers with a promise. */
import { AgentError } from '../errors/agent-error.js';
import { LIMITS, PROTOCOL_VERSION } from '../protocol/limits.js';
import type { MethodName, Params, Result } from '../protocol/methods.js';
import type { AuditTrail } from './audit-trail.js';
import type { CertificateService } from './certificate-service.js';
import type { GuardService } from './guard-service.js';
import type { KeeperLink } from './keeper-link.js';
import type { KeeperView } from './keeper-view.js';
import type { KeyBook } from './key-book.js';
import type { KeyService } from './key-service.js';
import { publicLease, type LeaseService } from './lease-service.js';
import type { Peer } from './peer.js';
import type { PolicyFile } from './policy-file.js';
import type { PolicyView } from './policy-view.js';

/** Methods that answer with a promise; `sign`, `events.subscribe` and `cancel` belong to the connection. */
export type AnsweredMethod = Exclude<MethodName, 'sign' | 'events.subscribe' | 'cancel'>;

export type MethodHandlers = {
  readonly [M in AnsweredMethod]: (
    params: Params<M>,
    peer: Peer,
    gone: AbortSignal,
  ) => Promise<Result<M>> | Result<M>;
};

export interface HandlerParts {
  readonly version: string;
  readonly socket: string;
  readonly keeper: KeeperLink;
  readonly view: KeeperView;
  readonly keys: KeyBook;
  readonly policy: PolicyFile;
  readonly policyView: PolicyView;
  readonly trail: AuditTrail;
  readonly keyService: KeyService;
  readonly leases: LeaseService;
  readonly certificates: CertificateService;
  readonly guard: GuardService;
  /** How many connections are open. */
  readonly connections: () => number;
}

/** Loading a driver, and a look. Milliseconds. */
const FIND_MS = 30_000;

/** The handlers of one agent. */
export function methodHandlers(parts: HandlerParts): MethodHandlers {
  const { keeper, trail, keyService, leases, certificates, guard, policyView } = parts;
  return {
    hello: ({ protocol }, peer) => greet(parts, protocol, peer),
    status: () => statusReply(parts),
    'tokens.list': async ({ glance }) => {
      const { tokens } = await keeper.call('tokens', { glance });
      return { tokens: tokens.map((token) => ({ ...token })) };
    },
    'tokens.plan': (params) => keyService.plan(params),
    'tokens.setup': (params, peer) => keyService.setup(params, peer),
    'keys.list': (params) => keyService.list(params),
    'keys.show': ({ key }) => keyService.show(key),
    'keys.derive': ({ key }, peer, gone) => keyService.derive(key, peer, gone),
    'keys.create': (params, peer) => keyService.create(params, peer),
    'tokens.find': async (params) => ({ home: { ...(await keeper.call('find', params, FIND_MS)).home } }),
    'tokens.evidence': (params) => keeper.call('evidence', params, FIND_MS),
    'keys.adopt': (params, peer) => keyService.adopt(params, peer),
    'keys.rotate': ({ key }, peer) => keyService.rotate(key, peer),
    'keys.revoke': ({ key, reason }, peer) => keyService.revoke(key, reason, peer),
    'keys.install': (params, peer) => keyService.install(params, peer),
    'certificates.add': (params, peer) => certificates.add(params, peer),
    'certificates.list': (params) => certificates.list(params),
    'unlock.begin': (params, _peer, gone) => leases.begin(params, gone),
    'unlock.ask': (params, peer, gone) => leases.ask(params, peer, gone),
    'unlock.finish': (params, peer, gone) => leases.finish(params, peer, gone),
    'pin.store': (params, peer) => leases.storePin(params, peer),
    'pin.forget': (params, peer) => leases.forgetPin(params, peer),
    lock: (params, peer) => leases.lock(params, peer),
    'audit.query': (params) => auditPage(trail, params),
    'policy.explain': (params, peer) => policyView.explain(params, peer),
    'guard.show': (params) => guard.show(params),
    'guard.published': (params, peer) => guard.published(params, peer),
    'guard.abandon': (params, peer) => guard.abandon(params, peer),
    'guard.forget': (params, peer) => guard.forget(params, peer),
  };
}

function greet({ version, view }: HandlerParts, protocol: number, peer: Peer): Result<'hello'> {
  if (protocol !== PROTOCOL_VERSION)
    throw new AgentError('rpc.version', { details: { agent: PROTOCOL_VERSION } });
  return {
    agent: version,
    protocol: PROTOCOL_VERSION,
    pid: view.status.pid,
    uid: peer.uid,
    limits: { ...LIMITS },
  };
}

async function auditPage(trail: AuditTrail, params: Params<'audit.query'>): Promise<Result<'audit.query'>> {
  const page = await trail.log.query({
    after: params.after,
    limit: params.limit ?? 100,
    key: params.key,
    outcome: params.outcome,
  });
  return { records: page.records.map((record) => ({ ...record })), last: page.last };
}

async function statusReply(parts: HandlerParts): Promise<Result<'status'>> {
  const { version, socket, view, keys, policy, trail, connections } = parts;
  const status = await view.refresh();
  const { log } = trail;
  const leaves = keys.loaded?.leaves() ?? [];
  return {
    agent: version,
    pid: status.pid,
    frontPid: process.pid,
    startedAt: status.startedAt,
    socket,
    domain: keys.loaded?.anchor.domain ?? null,
    tokens: status.tokens.map((token) => ({ ...token })),
    leases: status.leases.map(publicLease),
    keys: {
      total: leaves.length,
      active: leaves.filter((leaf) => leaf.state === 'active').length,
      loaded: status.loaded,
    },
    orders: { ...status.orders },
    audit: { sequence: log.head.seq, head: log.head.hash, unsealed: log.unsealed, writable: log.writable },
    policy: {
      file: policy.path,
      rules: policy.policy.rules.length,
      problem: policy.problem?.toData() ?? null,
    },
    connections: connections(),
  };
}
