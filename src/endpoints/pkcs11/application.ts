/**
 * One application that uses the door: a connection with its sessions. What it may see is asked of the policy again with every
 * search, so that a rule which goes away takes its keys with it.
 */
import type { Agent } from '../../agent/agent.js';
import type { Peer } from '../../agent/peer.js';
import type { SignJob } from '../../agent/sign.js';
import { AgentError } from '../../errors/agent-error.js';
import { LIMITS } from '../../protocol/limits.js';
import { bytesFor, failed, returnValueOf, type LateAnswer } from './answer.js';
import { CKR } from './cryptoki.js';
import type { KeyObject } from './key-objects.js';
import type { KeyShelf, ObjectView } from './key-shelf.js';
import { Session } from './session.js';
import type { DigestToSign } from './sign-input.js';

/** Sessions that one application may have open; ours. */
export const MAX_SESSIONS = 256;

export interface ApplicationOptions {
  readonly signing: Pick<Agent['signing'], 'submit'>;
  readonly shelf: KeyShelf;
  readonly peer: Peer;
}

export class Application {
  isInitialized = false;
  isLoggedIn = false;
  readonly #options: ApplicationOptions;
  readonly #sessions = new Map<number, Session>();
  #view: ObjectView = new Map();
  #lastSession = 0;
  #job: SignJob | undefined;

  constructor(options: ApplicationOptions) {
    this.#options = options;
  }

  get sessions(): ReadonlyMap<number, Session> {
    return this.#sessions;
  }

  /** @returns undefined when there are too many already */
  openSession(flags: number): Session | undefined {
    if (this.#sessions.size >= MAX_SESSIONS) return undefined;
    this.#lastSession += 1;
    const session = new Session(this.#lastSession, flags);
    this.#sessions.set(session.handle, session);
    return session;
  }

  closeSession(handle: number): boolean {
    const isClosed = this.#sessions.delete(handle);
    if (this.#sessions.size === 0) this.isLoggedIn = false;
    return isClosed;
  }

  closeAllSessions(): void {
    this.#sessions.clear();
    this.isLoggedIn = false;
  }

  /** What may be seen now. */
  refresh(): ObjectView {
    this.#view = this.#options.shelf.viewOf(this.#options.peer);
    return this.#view;
  }

  /** The object of a handle that came from an earlier search, or that would be found now. */
  object(handle: number): KeyObject | undefined {
    return this.#view.get(handle) ?? this.refresh().get(handle);
  }

  /** Orders the signature of a bare digest; `room` is what the caller has for it. */
  sign(key: KeyObject, { digest, scheme }: DigestToSign, room: number): LateAnswer {
    return (deliver) => {
      this.#job = this.#options.signing.submit({
        peer: this.#options.peer,
        requests: [{ key: key.keyName, kind: 'digest', payload: digest, scheme }],
        timeoutMs: LIMITS.defaultDeadlineMs,
        onDone: ([signed]) => {
          this.#job = undefined;
          // The name may mean the next epoch by now, whose signature the caller's public key would not verify.
          const isOurs = signed?.keyId === key.keyId;
          deliver(isOurs ? bytesFor(room, signed.signature) : failed(CKR.KEY_HANDLE_INVALID));
        },
        onFailed: (error) => {
          this.#job = undefined;
          deliver(failed(returnValueOf(error)));
        },
        onWaiting: () => undefined,
      });
    };
  }

  /** The caller is gone. */
  abandon(): void {
    this.closeAllSessions();
    this.#job?.abandon(new AgentError('limits.cancelled'));
  }
}
