/** The `unlock.*`, `pin.*` and `lock` methods: a PIN on its way to the keeper, still sealed, and what the log says of it. */
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { asAgentError } from '../errors/agent-error.js';
import type { LeaseOptions, LeaseStatus } from '../keeper/wire.js';
import { LIMITS } from '../protocol/limits.js';
import type { Params, Result } from '../protocol/methods.js';
import type { AuditTrail } from './audit-trail.js';
import type { KeeperLink } from './keeper-link.js';
import type { KeeperView } from './keeper-view.js';
import type { KeyBook } from './key-book.js';
import type { Peer } from './peer.js';

/** Longest wait for the log before a lock, milliseconds. */
const SEAL_MS = 2_000;
/** Many leaves of a slow token take long; the record of who unlocked must not be lost to a shorter deadline. Milliseconds. */
const UNLOCK_MS = LIMITS.maxDeadlineMs;
/** For finding the token and a host for it, milliseconds. */
const BEGIN_MS = 60_000;
/** As many as the keeper keeps open. */
const MAX_ATTEMPTS = 64;

export interface LeaseServiceParts {
  readonly keeper: KeeperLink;
  readonly view: KeeperView;
  readonly keys: KeyBook;
  readonly trail: AuditTrail;
}

type LeaseParams = Omit<Params<'unlock.finish'>, 'pin' | 'useLastTry'>;

export class LeaseService {
  readonly #parts: LeaseServiceParts;
  /** Attempts whose PIN the keychain is to give, for the log. */
  readonly #fromKeychain = new Set<string>();

  constructor(parts: LeaseServiceParts) {
    this.#parts = parts;
  }

  /** Waits for a token that is not there as long as the caller asks for, and no longer than it waits itself. */
  async begin(
    { token, waitSeconds }: Params<'unlock.begin'>,
    gone: AbortSignal,
  ): Promise<Result<'unlock.begin'>> {
    const { keeper } = this.#parts;
    const wait = waitSeconds === undefined ? undefined : { id: randomUUID(), seconds: waitSeconds };
    if (wait !== undefined) cancelWhen(gone, keeper, wait.id);
    const begun = await keeper.call('unlock.begin', { token, wait }, BEGIN_MS + (waitSeconds ?? 0) * 1000);
    if (begun.asks === 'keychain') this.#rememberKeychain(begun.attempt);
    return { ...begun };
  }

  /**
   * A PIN whose turn has not come when its caller goes is not sent.
   * @throws AgentError of the keeper; the refusal is in the log then
   */
  async finish(
    params: Params<'unlock.finish'>,
    peer: Peer,
    gone: AbortSignal,
  ): Promise<Result<'unlock.finish'>> {
    const { keeper } = this.#parts;
    const { pin, useLastTry, ...lease } = params;
    const request = { pin, useLastTry, owner: peer.uid, lease: this.#leaseOptions(lease) };
    cancelWhen(gone, keeper, pin.attempt);
    return this.#opened(peer, {}, () => keeper.call('unlock.finish', request, UNLOCK_MS));
  }

  /**
   * A person is asked for as long as the caller waits.
   * @throws AgentError of the keeper; the refusal is in the log then
   */
  async ask(params: Params<'unlock.ask'>, peer: Peer, gone: AbortSignal): Promise<Result<'unlock.ask'>> {
    const { keeper } = this.#parts;
    const { attempt, place, useLastTry, ...lease } = params;
    const { uid: owner, pid } = peer;
    const request = { attempt, place, useLastTry, owner, pid, lease: this.#leaseOptions(lease) };
    cancelWhen(gone, keeper, attempt);
    const by = this.#fromKeychain.delete(attempt) ? 'keychain' : 'prompt';
    return this.#opened(peer, { by }, () => keeper.call('unlock.ask', request, UNLOCK_MS));
  }

  /** @throws AgentError of the keeper; the refusal is in the log then */
  async storePin(params: Params<'pin.store'>, peer: Peer): Promise<Result<'pin.store'>> {
    const { keeper, trail } = this.#parts;
    try {
      const stored = await keeper.call('pin.store', params, UNLOCK_MS);
      trail.noteAct('pin-stored', peer, { ...stored });
      return stored;
    } catch (error) {
      const failed = asAgentError(error);
      trail.noteAct('pin-not-stored', peer, { code: failed.code });
      throw failed;
    }
  }

  async forgetPin({ token }: Params<'pin.forget'>, peer: Peer): Promise<Result<'pin.forget'>> {
    const { keeper, trail } = this.#parts;
    const forgotten = await keeper.call('pin.forget', { token }, UNLOCK_MS);
    if (forgotten.forgotten) trail.noteAct('pin-forgotten', peer, { token: forgotten.token });
    return forgotten;
  }

  #rememberKeychain(attempt: string): void {
    const [oldest] = this.#fromKeychain;
    if (this.#fromKeychain.size >= MAX_ATTEMPTS && oldest !== undefined) this.#fromKeychain.delete(oldest);
    this.#fromKeychain.add(attempt);
  }

  #leaseOptions({ keys, kinds, uses, seconds, blind }: LeaseParams): LeaseOptions {
    const ids = keys?.map((name) => this.#parts.keys.keyring.resolve(name).keyId);
    return { keys: ids, kinds, uses, seconds, blind };
  }

  async #opened(
    peer: Peer,
    how: { readonly by?: string },
    open: () => Promise<{ readonly lease: LeaseStatus; readonly loaded: number }>,
  ): Promise<Result<'unlock.finish'>> {
    const { view, trail } = this.#parts;
    try {
      const { lease, loaded } = await open();
      trail.noteAct('unlock', peer, {
        token: lease.token,
        lease: lease.id,
        keys: loaded,
        expiresAt: lease.expiresAt,
        ...how,
      });
      view.track(lease);
      return { lease: publicLease(lease), loaded };
    } catch (error) {
      const failed = asAgentError(error);
      trail.noteAct('unlock-refused', peer, { code: failed.code, ...how });
      throw failed;
    }
  }

  async lock({ token }: Params<'lock'>, peer: Peer): Promise<Result<'lock'>> {
    const { keeper, view, trail } = this.#parts;
    trail.noteAct('lock', peer, { token: token ?? 'all' });
    // A disk that hangs must not keep keys loaded that somebody wants gone.
    await Promise.race([trail.seal(), delay(SEAL_MS, undefined, { ref: false })]);
    const answer = await keeper.call('lock', { token });
    view.dropToken(token);
    return answer;
  }
}

function cancelWhen(gone: AbortSignal, keeper: KeeperLink, attempt: string): void {
  gone.addEventListener('abort', () => {
    keeper.call('unlock.cancel', { attempt }).catch(() => undefined);
  });
}

/** A lease as the protocol shows it. */
export function publicLease(lease: LeaseStatus): Result<'status'>['leases'][number] {
  return { ...lease, keys: [...lease.keys], kinds: [...lease.kinds] };
}
