/**
 * Which users have shut the SSH door with a passphrase. The keeper holds the list, so that a front that is started again finds the door
 * shut; every turn of the lock is in the audit log.
 */
import type { SshLock } from '../keeper/wire.js';
import type { AuditTrail } from './audit-trail.js';
import type { KeeperLink } from './keeper-link.js';
import type { Peer } from './peer.js';

export class SshLocks {
  readonly #keeper: Pick<KeeperLink, 'call'>;
  readonly #trail: Pick<AuditTrail, 'note'>;
  #locks: ReadonlyMap<number, SshLock>;

  /** @param found what the keeper held when this front began */
  constructor(keeper: Pick<KeeperLink, 'call'>, trail: Pick<AuditTrail, 'note'>, found: readonly SshLock[]) {
    this.#keeper = keeper;
    this.#trail = trail;
    this.#locks = new Map(found.map((lock) => [lock.uid, lock]));
  }

  of(uid: number): SshLock | undefined {
    return this.#locks.get(uid);
  }

  /** Shut when this resolves. @throws AgentError of the keeper; nothing has changed then */
  async shut(peer: Peer, lock: SshLock): Promise<void> {
    await this.#keep(new Map([...this.#locks, [lock.uid, lock]]));
    this.#note('ssh-lock', peer);
  }

  /** @throws AgentError of the keeper; the door is still shut then */
  async open(peer: Peer): Promise<void> {
    await this.#keep(new Map([...this.#locks].filter(([uid]) => uid !== peer.uid)));
    this.#note('ssh-unlock', peer);
  }

  noteWrongPassphrase(peer: Peer): void {
    this.#note('ssh-unlock-refused', peer);
  }

  async #keep(locks: ReadonlyMap<number, SshLock>): Promise<void> {
    await this.#keeper.call('ssh.locks', { locks: [...locks.values()] });
    this.#locks = locks;
  }

  #note(act: string, { uid, gid, pid }: Peer): void {
    this.#trail.note({ type: 'act', act, peer: { uid, gid, pid }, facts: {} });
  }
}
