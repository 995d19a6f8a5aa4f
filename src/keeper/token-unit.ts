/**
 * One configured token as the keeper sees it: its host process, whether it is there, whether somebody logged in. Trouble while somebody
 * is logged in ends the host, because drivers keep PINs; everything else is asked again, in the end with a new host.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { tokenUri, type TokenConfig } from '../config/token-document.js';
import { AgentError, asAgentError } from '../errors/agent-error.js';
import { scrubEnvironment } from '../platform/hardening.js';
import type { HostCalls, HostMethod, HostTokenInfo } from '../tokenhost/messages.js';
import { nameHolders } from './card-holders.js';
import { HostLink, type HostAnswer } from './host-link.js';
import type { PinAlerts } from './pin-alerts.js';
import { climb, isUnexplained } from './recovery.js';
import { TokenQueue } from './token-queue.js';
import { isEmbedded, selectorOf, serialOf } from './token-selector.js';
import { TouchWatch, USES_KEY } from './touch-watch.js';
import type { LeaseEnd, TokenState, TokenStatus } from './wire.js';

/** Time for loading a driver and finding the token, and for a call that needs no person, milliseconds. */
const OPEN_DEADLINE_MS = 10_000;
const PROBE_DEADLINE_MS = 5_000;
const PROBE_EVERY_MS = 1_000;
/** SoftHSM rewrites its files at each login: one failed look is not a removal. */
const FAILED_PROBES = 3;
const BACKOFF_MS = [0, 50, 200, 1_000, 5_000] as const;
/** Time for a key to stop blinking, or for a card to be reset, milliseconds. */
const PARTING_MS = { pkcs11: undefined, 'yubikey-piv': 1_000, 'yubikey-otp': 300 } as const;
/** A host that nobody logs in to ends after this time, milliseconds. */
const IDLE_MS = 60_000;

/** Nobody touched the card, or it was not reached at all: it is as it was before. */
const HARMLESS: ReadonlySet<string> = new Set(['token.touch-timeout', 'token.busy']);

type LoginParams = HostCalls['login']['params'];

export interface TokenUnitEvents {
  readonly alerts?: PinAlerts | undefined;
  readonly onStatus: (status: TokenStatus) => void;
  /** The token waits for a finger. @param secondsLeft until it gives up */
  readonly onTouch?: ((secondsLeft: number) => void) | undefined;
  /** The host is gone, because the token was removed or because it died: nothing on the token can sign. */
  readonly onLost: (reason: LeaseEnd) => void;
  /** An open card that nobody used was locked again. */
  readonly onReleased?: (() => void) | undefined;
}

export class TokenUnit {
  readonly config: TokenConfig;
  readonly queue = new TokenQueue();
  readonly #entry: string;
  readonly #events: TokenUnitEvents;
  #link: HostLink | undefined;
  #opening: Promise<HostTokenInfo> | undefined;
  #info: HostTokenInfo | undefined;
  #loggedIn = false;
  #locks = 0;
  #failures = 0;
  #failedProbes = 0;
  #reason: AgentError | undefined;
  #probe: NodeJS.Timeout | undefined;
  #idle: NodeJS.Timeout | undefined;
  #section: Promise<unknown> = Promise.resolve();
  /** A card is reset by the host that was logged in to it: the next host waits for that. */
  #parted: Promise<void> = Promise.resolve();
  #isWatched = false;
  /** Its keys were found to be those of the keyring. */
  #isIdentified = false;
  #release: NodeJS.Timeout | undefined;
  readonly #touch: TouchWatch;

  constructor(config: TokenConfig, entry: string, events: TokenUnitEvents) {
    this.config = config;
    this.#entry = entry;
    this.#events = events;
    this.#touch = new TouchWatch((secondsLeft) => events.onTouch?.(secondsLeft));
  }

  get loggedIn(): boolean {
    return this.#loggedIn;
  }

  /** How often it was locked: what was begun before must not end in an open token. */
  get locks(): number {
    return this.#locks;
  }

  get state(): TokenState {
    if (this.#loggedIn) return 'unlocked';
    if (isUnexplained(this.#reason)) return 'degraded';
    if (this.#info === undefined) return 'absent';
    if (this.#isIdentified) return 'identified';
    // A blank token stands for the configured one only where the agent is to initialise it.
    return this.#info.initialised || isEmbedded(this.config) ? 'present' : 'absent';
  }

  status(): TokenStatus {
    const info = this.#info;
    return {
      name: this.config.name,
      state: this.state,
      kind: this.config.kind,
      uri: info?.uri ?? tokenUri(this.config),
      module: 'module' in this.config ? this.config.module : undefined,
      onRemoval: this.config.onRemoval,
      label: info?.label,
      serial: info?.serial,
      manufacturer: info?.manufacturer,
      model: info?.model,
      firmware: info?.firmware,
      slot: info?.slot,
      triesLeft: info?.triesLeft,
      tries: info?.tries,
      alert: this.#events.alerts?.of(info?.serial ?? serialOf(this.config)),
      reason: this.#reason?.toData(),
    };
  }

  /** Whether using this key takes a finger, as far as the token says. */
  wantsTouch(id: string): boolean {
    return this.#touch.wants(id);
  }

  /** Runs one piece of work with the token to itself, after what was asked before. */
  section<T>(work: () => Promise<T>): Promise<T> {
    const run = this.#section.then(work, work);
    this.#section = run.catch(() => undefined);
    return run;
  }

  /** Makes sure a host runs and has found the token. @throws AgentError why not */
  async open(): Promise<HostTokenInfo> {
    if (!this.#loggedIn) this.#endWhenIdle();
    if (this.#info !== undefined && this.#link !== undefined) return this.#info;
    const opening = (): Promise<HostTokenInfo> => this.#openHost();
    this.#opening ??= this.#climb([opening, opening]).finally(() => {
      this.#opening = undefined;
    });
    return this.#opening;
  }

  /**
   * Looks at the token now, for lists; a host that nobody needs ends again.
   * @param glance ask the reader, not the card, while the card is the same: to ask it ends what other programs have selected on it
   */
  async refresh(glance = false): Promise<TokenStatus> {
    try {
      const info = await this.open();
      if (this.#loggedIn) this.#info = info;
      else await this.look(!glance);
      this.#reason = undefined;
    } catch (error) {
      this.#reason = asAgentError(error);
      this.#forget();
      if (!this.#loggedIn) this.end();
    }
    return this.status();
  }

  call<M extends HostMethod>(
    method: M,
    params: HostCalls[M]['params'],
    deadlineMs: number,
    raw?: Buffer,
  ): Promise<HostAnswer<M>> {
    if (this.#link === undefined) {
      raw?.fill(0);
      return Promise.reject(new AgentError('token.locked'));
    }
    const answer = this.#link.call(method, params, deadlineMs, raw);
    return this.config.kind === 'yubikey-piv' ? this.#watchCard(method, params, answer) : answer;
  }

  /** A finger may be wanted; and after a failure nobody knows what the driver will do with the PIN: its process ends. */
  async #watchCard<M extends HostMethod>(
    method: M,
    params: HostCalls[M]['params'],
    answer: Promise<HostAnswer<M>>,
  ): Promise<HostAnswer<M>> {
    const link = this.#link;
    if (USES_KEY.has(method)) this.#releaseLater();
    try {
      return await this.#touch.during(method, params, answer);
    } catch (error) {
      const cause = nameHolders(asAgentError(error), [process.pid, link?.pid]);
      if (cause.code === 'token.pin-alert') this.#events.alerts?.raised(this.config.name, cause);
      const isLost = USES_KEY.has(method) && !HARMLESS.has(cause.code);
      if (isLost && this.#loggedIn && this.#link === link) {
        this.#reason = cause;
        this.#lose('token-lost');
      }
      throw cause;
    }
  }

  /**
   * One login with what a person entered. @param pin overwritten
   * @returns the check value of an OTP slot
   * @throws AgentError `token.pin-…`
   */
  async login(pin: Buffer, deadlineMs: number, params: LoginParams = {}): Promise<string | undefined> {
    const { check, ...info } = (await this.call('login', params, deadlineMs, pin)).result;
    this.#info = info;
    clearTimeout(this.#idle);
    this.#loggedIn = true;
    this.#reason = undefined;
    this.#releaseLater();
    this.#events.onStatus(this.status());
    return check;
  }

  /** Gives a blank embedded token its label and PIN. @param raw overwritten */
  async initialise(label: string, raw: Buffer, deadlineMs: number): Promise<void> {
    this.#info = (await this.call('initialise', { label }, deadlineMs, raw)).result;
  }

  /** What the token says of itself now. @param fresh ask a card itself */
  async look(fresh = true): Promise<HostTokenInfo> {
    const probe = async (): Promise<HostTokenInfo> => {
      const { result } = await this.call('probe', { fresh }, PROBE_DEADLINE_MS);
      this.#events.alerts?.looked(this.config.name, result);
      this.#info = result;
      return result;
    };
    const reopen = async (): Promise<HostTokenInfo> => {
      await this.call('open', selectorOf(this.config), OPEN_DEADLINE_MS);
      return probe();
    };
    const restart = async (): Promise<HostTokenInfo> => {
      this.#forget();
      this.end();
      await this.open();
      return probe();
    };
    if (this.#loggedIn) return probe();
    return this.#climb(this.config.kind === 'yubikey-piv' ? [probe, reopen, restart] : [probe, restart]);
  }

  /** Nothing is to recover from a lock. */
  #climb<T>(rungs: readonly (() => Promise<T>)[]): Promise<T> {
    const locks = this.#locks;
    return climb(rungs, () => this.#locks === locks);
  }

  /** The keys that show themselves are those of the keyring. */
  identified(): void {
    this.#isIdentified = true;
  }

  /** They are not. */
  strange(why: AgentError): void {
    this.#reason = why;
  }

  /** Ends the login to a card, because a card that stays open signs and derives for any program; goes on watching for its removal. */
  async park(): Promise<void> {
    this.end();
    await this.#parted;
    if (this.config.onRemoval === 'keep') return;
    this.#isWatched = true;
    await this.open();
  }

  /** As `end`, for good: work that is under way ends too. */
  lock(): void {
    this.#locks += 1;
    this.end();
  }

  /** Ends the host, and with it the session and whatever the driver remembers. */
  end(): void {
    const wasIn = this.#loggedIn;
    this.#loggedIn = false;
    this.#isWatched = false;
    clearInterval(this.#probe);
    clearTimeout(this.#idle);
    clearTimeout(this.#release);
    const link = this.#link;
    this.#link = undefined;
    if (link !== undefined && this.config.kind === 'yubikey-piv') this.#parted = link.ended;
    link?.kill();
    this.queue.clear(new AgentError('token.locked'));
    if (wasIn) this.#events.onStatus(this.status());
  }

  async #openHost(): Promise<HostTokenInfo> {
    const pause = BACKOFF_MS[Math.min(this.#failures, BACKOFF_MS.length - 1)] ?? 0;
    if (pause > 0) await delay(pause);
    await this.#parted;
    const link = (this.#link ??= this.#startHost());
    try {
      const { result } = await link.call('open', selectorOf(this.config), OPEN_DEADLINE_MS);
      this.#events.alerts?.looked(this.config.name, result);
      this.#info = result;
      this.#reason = undefined;
      this.#failures = 0;
      this.#startProbing();
      return result;
    } catch (error) {
      const cause = nameHolders(asAgentError(error), [process.pid, link.pid]);
      this.#reason = cause;
      this.#forget();
      if (cause.code === 'token.host-crashed' || cause.code === 'token.timeout') this.#failures += 1;
      this.end();
      throw cause;
    }
  }

  #endWhenIdle(): void {
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => {
      if (!this.#loggedIn && !this.#isWatched) this.end();
    }, IDLE_MS);
    this.#idle.unref();
  }

  #startHost(): HostLink {
    const link = new HostLink({
      token: this.config.name,
      entry: this.#entry,
      environment: { ...scrubEnvironment(process.env), ...this.config.env },
      onNotice: ({ secondsLeft }) => this.#events.onTouch?.(secondsLeft),
      partingMs: PARTING_MS[this.config.kind],
      onExit: () => {
        if (this.#link === link) this.#onHostLost();
      },
    });
    return link;
  }

  #onHostLost(): void {
    this.#failures += 1;
    this.#reason = new AgentError('token.host-crashed', { details: { token: this.config.name } });
    this.#lose('token-lost');
  }

  #forget(): void {
    this.#info = undefined;
    this.#isIdentified = false;
  }

  /** An open card keeps others out, who want to select something else on it or have it for themselves. */
  #releaseLater(): void {
    clearTimeout(this.#release);
    if (this.config.kind !== 'yubikey-piv') return;
    this.#release = setTimeout(
      () => void this.section(() => this.#releaseCard()),
      this.config.releaseAfterSeconds * 1000,
    );
    this.#release.unref();
  }

  async #releaseCard(): Promise<void> {
    if (!this.#loggedIn) return;
    if (this.#link?.isBusy === true || this.queue.length > 0) {
      this.#releaseLater();
      return;
    }
    this.#events.onReleased?.();
    await this.park().catch(() => undefined);
  }

  #lose(reason: LeaseEnd): void {
    this.#forget();
    this.end();
    this.#events.onLost(reason);
  }

  /** From the first look on, logged in or not: leases may outlive the session, and removal must still be noticed. */
  #startProbing(): void {
    clearInterval(this.#probe);
    this.#failedProbes = 0;
    this.#probe = setInterval(() => {
      void this.#probeOnce();
    }, PROBE_EVERY_MS);
    this.#probe.unref();
  }

  async #probeOnce(): Promise<void> {
    const link = this.#link;
    if (link === undefined || link.isBusy) return;
    const serial = this.#info?.serial;
    try {
      const { result } = await link.call('probe', {}, PROBE_DEADLINE_MS);
      if (result.serial !== serial)
        throw new AgentError('token.removed', { message: 'another token is in its place' });
      this.#failedProbes = 0;
      this.#info = result;
    } catch (error) {
      if (this.#link !== link) return;
      this.#failedProbes += 1;
      if (this.#failedProbes < FAILED_PROBES && this.config.kind !== 'yubikey-piv') return;
      const cause = asAgentError(error);
      this.#reason = new AgentError('token.removed', { cause, message: cause.message });
      this.#lose('removed');
    }
  }
}
