/** The `guard.*` methods. */
import { AgentError } from '../errors/agent-error.js';
import { kindsOfRole } from '../keys/roles.js';
import { matchRule } from '../policy/decide.js';
import { highestVersion } from '../policy/guard.js';
import type { Params, Result } from '../protocol/methods.js';
import type { AuditTrail } from './audit-trail.js';
import type { GuardBook } from './guard-book.js';
import { guardPage } from './guard-page.js';
import type { Peer } from './peer.js';
import type { PolicyFile } from './policy-file.js';

export interface GuardServiceParts {
  readonly guard: GuardBook;
  readonly policy: PolicyFile;
  readonly trail: AuditTrail;
}

export class GuardService {
  readonly #parts: GuardServiceParts;

  constructor(parts: GuardServiceParts) {
    this.#parts = parts;
  }

  show(params: Params<'guard.show'>): Result<'guard.show'> {
    const page = guardPage(this.#parts.guard.list(), params);
    const entries = page.entries.map(({ repository: name, role, state }) => {
      const { published, signed } = state;
      return {
        repository: name,
        role,
        published: published === null ? null : { ...published },
        signed:
          signed === null
            ? null
            : {
                version: signed.version,
                sha256: signed.contents.at(-1) ?? '',
                contents: signed.contents.length,
              },
      };
    });
    return { entries, next: page.next };
  }

  /**
   * What is published is signed with no other content any more, so only those may say so who may sign it.
   * @throws AgentError `policy.denied`, `key.field-invalid`, `state.write`, `guard.older`
   */
  published(params: Params<'guard.published'>, peer: Peer): Result<'guard.published'> {
    const { repository, role, version, sha256 } = params;
    const { guard, policy } = this.#parts;
    const key = `${repository}#${role}`;
    const { uid, gid, socket } = peer;
    const isAllowed = kindsOfRole(role).some((kind) => {
      if (!isMetadata(kind)) return false;
      const request = { uid, gid, socket, key, kind, blind: false, nowMs: Date.now() };
      return matchRule(policy.policy, request).outcome === 'allow';
    });
    if (!isAllowed) {
      throw new AgentError('policy.denied', {
        message: `uid ${uid} may not sign for ${key}, and so not say what is published of it`,
        details: { key },
      });
    }
    return { matched: guard.publish({ repository, role }, { version, sha256 }) };
  }

  /** @throws AgentError `guard.version`, `audit.write`, `state.write`, `guard.older` */
  async abandon(params: Params<'guard.abandon'>, peer: Peer): Promise<Result<'guard.abandon'>> {
    const { repository, role, version, sha256 } = params;
    const { guard, trail } = this.#parts;
    const name = { repository, role };
    const content = { version, sha256 };
    guard.requireSigned(name, content);
    trail.requireWritable();
    // On the record before it is done: afterwards the version may get another content.
    trail.noteAct('guard-abandon', peer, { repository, role, version, sha256 });
    await trail.flush();
    guard.abandon(name, content);
    return { abandoned: true };
  }

  /** @throws AgentError `guard.version` when nothing is known, `audit.write`, `state.write`, `guard.older` */
  async forget({ repository }: Params<'guard.forget'>, peer: Peer): Promise<Result<'guard.forget'>> {
    const { guard, trail } = this.#parts;
    const known = guard.known(repository);
    trail.requireWritable();
    const versions = known.map(({ role, state }) => `${role} ${highestVersion(state)}`).join(', ');
    trail.noteAct('guard-forget', peer, { repository, versions });
    await trail.flush();
    return { roles: [...guard.forget(repository)] };
  }
}

function isMetadata(kind: string): boolean {
  return kind.startsWith('notary.') || kind.startsWith('tuf.');
}
