/**
 * The keeper: parent of every other process of the agent, owner of leaves, leases and the queue in front of each token. It accepts
 * no connection, loads no driver and parses nothing that a client wrote.
 */
import { randomBytes } from 'node:crypto';
import type { Config } from '../config/document.js';
import { AgentError, asAgentError } from '../errors/agent-error.js';
import type { KeyringAnchor } from '../keys/key-record.js';
import { isAgentRole, isTokenRole } from '../keys/roles.js';
import type { KeyringFile } from '../state/keyring-file.js';
import type { CardSetupFile } from '../state/card-setup-file.js';
import type { PinLedger } from '../state/pin-ledger.js';
import type { StoredPinMarks } from '../state/stored-pin-marks.js';
import type { HostTokenInfo } from '../tokenhost/messages.js';
import { derivationLocked, holdsDerivation } from './derivation-token.js';
import { deriveLeaf } from './deriving.js';
import { Installing } from './installing.js';
import { FrontLink, type KeeperHandlers } from './front-link.js';
import { KeyMaking } from './key-making.js';
import { KeyShelf, rawKeyId } from './key-shelf.js';
import { LeaseBook } from './lease-book.js';
import { OrderLedger } from './order-count.js';
import { OrderDesk } from './order-desk.js';
import { PinAlerts } from './pin-alerts.js';
import { PersonDesk, type PersonMethod } from './person-desk.js';
import { PinDesk } from './pin-desk.js';
import { Provisioning } from './provisioning.js';
import { unlockFromSource } from './source-unlock.js';
import { TokenUnit } from './token-unit.js';
import { Unlocking } from './unlocking.js';
import type { KeeperCalls, KeeperEvent, KeeperStatus, LeaseEnd, SshLock, TokenStatus } from './wire.js';

export interface KeeperOptions {
  readonly config: Config;
  readonly configFile: string;
  readonly stateDir: string;
  readonly keyringFile: KeyringFile;
  readonly pinLedger: PinLedger;
  readonly storedPins: StoredPinMarks;
  readonly cardSetups: CardSetupFile;
  /** Absolute paths of the entry scripts of token host and keychain process. */
  readonly hostEntry: string;
  readonly keychainEntry: string;
  readonly startedAt: string;
  /** A front has said hello: it can log what happens from now on. */
  readonly onFrontReady: () => void;
  /** One line for the agent's log. */
  readonly note: (what: string, facts: Readonly<Record<string, string | number>>) => void;
}

export class Keeper {
  readonly #options: KeeperOptions;
  readonly #instance = randomBytes(16);
  readonly #shelf = new KeyShelf();
  readonly #ledger = new OrderLedger(this.#instance);
  readonly #pins = new PinDesk();
  readonly #alerts: PinAlerts;
  readonly #units = new Map<string, TokenUnit>();
  readonly #leases: LeaseBook;
  readonly #desk: OrderDesk;
  readonly #unlocking: Unlocking;
  readonly #people: PersonDesk;
  readonly #provisioning: Provisioning;
  readonly #installing: Installing;
  readonly #making: KeyMaking;
  #anchor: KeyringAnchor | undefined;
  /** A front cannot keep these: it may be started again at any moment. */
  #sshLocks: readonly SshLock[] = [];
  #front: FrontLink | undefined;

  constructor(options: KeeperOptions) {
    this.#options = options;
    this.#alerts = new PinAlerts(options.pinLedger, (alert) => {
      const { by, before, after, serial } = alert;
      options.note('tries of a PIN were used up that nobody entered here', { serial, by, before, after });
      this.#event({ event: 'pin-alert', ...alert });
    });
    for (const token of options.config.tokens) this.#units.set(token.name, this.#unit(token.name));
    const unitOf = (name: string): TokenUnit | undefined => this.#units.get(name);
    this.#leases = new LeaseBook({
      shelf: this.#shelf,
      unitOf,
      tokens: () => this.#units.keys(),
      onEvent: (event) => {
        this.#event(event);
      },
      frontReady: () => this.#front?.ready ?? false,
    });
    this.#desk = new OrderDesk({
      shelf: this.#shelf,
      ledger: this.#ledger,
      instance: this.#instance.toString('hex'),
      unitOf,
      onEvent: (event) => {
        this.#event(event);
      },
      onSpent: (lease) => {
        setImmediate(() => {
          this.#leases.end(lease, 'uses');
        });
      },
      onCheckpoint: () => {
        setImmediate(() => {
          this.#leases.sealed();
        });
      },
    });
    const parts = {
      config: options.config,
      shelf: this.#shelf,
      leases: this.#leases,
      pins: this.#pins,
      ledger: options.pinLedger,
      anchor: () => this.#anchor,
      unitOf: (name: string) => this.#unitNamed(name),
    };
    this.#unlocking = new Unlocking(parts);
    const { storedPins: marks, keychainEntry: entry, stateDir } = options;
    const onAbsent = (token: string, secondsLeft: number): void => {
      this.#event({ event: 'absent', token, secondsLeft });
    };
    const defaultToken = (): string => this.#defaultToken();
    const personParts = { ...parts, marks, entry, stateDir, onAbsent, defaultToken };
    this.#people = new PersonDesk(personParts, this.#unlocking);
    const cardParts = { ...parts, cardSetups: options.cardSetups, onEvent: this.#event.bind(this) };
    this.#provisioning = new Provisioning(cardParts, this.#unlocking);
    this.#installing = new Installing(parts, this.#unlocking);
    this.#making = new KeyMaking({ ...parts, units: this.#units, unlocking: this.#unlocking });
    this.reloadKeyring();
  }

  /** Takes over the pipe of a front that was just started. */
  attach(fd: number): void {
    this.#front?.close();
    this.#desk.frontLost(this.#units.values());
    const front = new FrontLink({
      fd,
      handlers: { ...this.#handlers, ...this.#people.handlers },
      onOrder: (frame, from) => {
        this.#desk.take(frame, from);
      },
      onAck: (order) => {
        this.#ledger.acknowledge(order);
      },
      onReady: () => {
        this.#options.onFrontReady();
      },
      onClose: () => {
        if (this.#front !== front) return;
        this.#front = undefined;
        this.#people.cancelAll();
        this.#desk.frontLost(this.#units.values());
      },
    });
    this.#front = front;
  }

  /** Asks the front to finish what it has. */
  drain(): void {
    this.#event({ event: 'drain' });
  }

  /** SIGHUP: wipe everything that was unlocked, read the policy again. */
  lockAndReload(): void {
    this.#leases.endAll('hangup');
    this.#event({ event: 'reload' });
  }

  /** Wipes every leaf and ends every token host. */
  wipe(): void {
    this.#people.cancelAll();
    this.#leases.endAll('stopping');
    this.#shelf.wipeAll();
    for (const unit of this.#units.values()) unit.end();
  }

  /**
   * Unlocks a token with a PIN from a source that the configuration names, and says how it went.
   * @param readPin returns bytes that are overwritten here
   */
  async unlockFromSource(token: string, readPin: () => Buffer, owner: number): Promise<void> {
    const source = { unit: this.#unitNamed(token), readPin, owner };
    try {
      const { lease, loaded } = await unlockFromSource(source, this.#options.pinLedger, this.#unlocking);
      this.#event({ event: 'unlocked', lease: lease.status(), loaded });
    } catch (thrown) {
      const error = asAgentError(thrown).toData();
      this.#event({ event: 'unlock-failed', token, error });
      this.#options.note('unlock failed', { token, code: error.code, reason: error.message });
    }
  }

  reloadKeyring(): number {
    const keyring = this.#options.keyringFile.load();
    if (keyring === undefined) return 0;
    this.#anchor = keyring.anchor;
    this.#shelf.stock([keyring.anchor.root, keyring.anchor.audit, ...keyring.records.leaves]);
    return keyring.records.leaves.length;
  }

  readonly #handlers: Omit<KeeperHandlers, PersonMethod> = {
    hello: () => ({
      status: this.#status(),
      pending: this.#ledger.pending(),
      sshLocks: this.#sshLocks,
      stateDir: this.#options.stateDir,
      configFile: this.#options.configFile,
    }),
    status: () => this.#status(),
    tokens: async ({ glance = false }) => {
      const look = (unit: TokenUnit): Promise<TokenStatus> => this.#unlocking.look(unit, glance);
      const statuses = [...this.#units.values()].map((unit) => unit.section(() => look(unit)));
      return { tokens: await Promise.all(statuses) };
    },
    'unlock.begin': async ({ token, wait }) => {
      const unit = this.#unitNamed(token ?? this.#defaultToken());
      const info = await this.#people.waits.until(unit.config.name, wait, () =>
        unit.section(() => this.#found(unit)),
      );
      return this.#pins.begin(unit.config, info);
    },
    'unlock.finish': async ({ pin, lease, owner, useLastTry }) => {
      const { lease: opened, loaded } = await this.#unlocking.unlockSealed(pin, { lease, owner, useLastTry });
      return { lease: opened.status(), loaded };
    },
    setup: (params) => this.#provisioning.setup(params),
    'setup.plan': (params) => this.#provisioning.plan(params),
    evidence: (params) => this.#provisioning.evidence(params),
    derive: ({ fields }) => this.#derive(fields),
    create: (params) => this.#making.create(params),
    find: async (params) => ({ home: await this.#making.find(params) }),
    install: async ({ keyId, pin, useLastTry }) => ({
      home: await this.#installing.install(keyId, pin, useLastTry),
    }),
    'keyring.reload': () => ({ leaves: this.reloadKeyring() }),
    lock: ({ token }) => ({
      locked: this.#leases.endAll(
        'locked',
        token === undefined ? undefined : this.#unitNamed(token).config.name,
      ),
    }),
    'ssh.locks': ({ locks }) => {
      this.#sshLocks = locks;
      return {};
    },
    'order.cancel': ({ order }) => ({ cancelled: this.#desk.cancel(order, this.#units.values()) }),
  };

  /** SoftHSM always offers one more slot with a blank token: after the set-up nobody should be asked for a new PIN. */
  async #found(unit: TokenUnit): Promise<HostTokenInfo> {
    const seen = await unit.open();
    if (seen.initialised || this.#anchor === undefined) return seen;
    // The driver was asked before; the token may have come back since.
    unit.end();
    const info = await unit.open();
    if (info.initialised) return info;
    unit.end();
    throw new AgentError('token.absent', {
      message: `token "${unit.config.name}" is not connected, only a blank one is`,
    });
  }

  /** Derives and loads a leaf; the front then records it and has the keyring read again. */
  async #derive(fields: KeeperCalls['derive']['params']['fields']): Promise<KeeperCalls['derive']['result']> {
    const anchor = this.#anchor;
    if (anchor === undefined) throw new AgentError('keyring.missing');
    const unit = [...this.#units.values()].find(
      (candidate) => candidate.loggedIn && holdsDerivation(candidate, anchor),
    );
    if (unit === undefined) throw derivationLocked(this.#units.values(), anchor, fields.repository);
    const derived = await unit.section(() => deriveLeaf(unit, anchor.derivation, anchor.domain, fields));
    const publicKey = derived.spki.toString('base64');
    const known = this.#shelf.find(rawKeyId(derived.keyId));
    // What was revoked stays so, the agent's own keys come from setup alone and roots from a token, whatever a front asks for.
    const isDerivable = !isAgentRole(fields.role) && !isTokenRole(fields.role);
    if (!isDerivable || (known?.record.usage === 'sign' && known.record.state !== 'active')) {
      derived.leaf.wipe();
      throw new AgentError('key.usage');
    }
    const key =
      known ??
      this.#shelf.put({
        usage: 'sign',
        ...fields,
        keyId: derived.keyId,
        publicKey,
        state: 'active',
        createdAt: this.#options.startedAt,
        homes: [],
      });
    if (key.leaf === undefined) key.leaf = derived.leaf;
    else derived.leaf.wipe();
    for (const lease of this.#leases.ofToken(unit.config.name)) {
      lease.cover(derived.keyId);
      this.#shelf.cover(lease);
    }
    return { keyId: derived.keyId, publicKey };
  }

  #status(): KeeperStatus {
    return {
      pid: process.pid,
      instance: this.#instance.toString('hex'),
      startedAt: this.#options.startedAt,
      orders: this.#ledger.current(),
      tokens: [...this.#units.values()].map((unit) => unit.status()),
      leases: this.#leases.all(),
      loaded: [...this.#shelf.all()].filter(
        (key) => key.leases.length > 0 && (key.leaf ?? key.home) !== undefined,
      ).length,
    };
  }

  #unit(name: string): TokenUnit {
    const config = this.#options.config.tokens.find((token) => token.name === name);
    if (config === undefined) throw new AgentError('token.unknown');
    return new TokenUnit(config, this.#options.hostEntry, {
      alerts: this.#alerts,
      onStatus: (status) => {
        this.#event({ event: 'token', token: status });
      },
      onTouch: (secondsLeft) => {
        this.#people.notes.touch(name, secondsLeft);
        this.#event({ event: 'touch', token: name, secondsLeft });
      },
      onLost: (reason) => {
        this.#onTokenLost(name, reason);
      },
      onReleased: () => {
        this.#shelf.forgetHome(name);
        this.#options.note('card given back', { token: name });
      },
    });
  }

  #onTokenLost(name: string, reason: LeaseEnd): void {
    const unit = this.#units.get(name);
    if (unit === undefined) return;
    this.#shelf.forgetHome(name);
    this.#options.note('token lost', { token: name, reason });
    if (unit.config.onRemoval === 'lock') this.#lockUnlessThere(unit, reason);
    this.#event({ event: 'token', token: unit.status() });
  }

  /** A driver may die of the removal: then a new one has to find the token, or the leases end. */
  #lockUnlessThere(unit: TokenUnit, reason: LeaseEnd): void {
    const { name } = unit.config;
    if (reason === 'removed') {
      this.#leases.endAll('removed', name);
      return;
    }
    if (this.#leases.ofToken(name).length === 0) return;
    unit
      .section(() => unit.open())
      .catch(() => {
        this.#leases.endAll('removed', name);
      });
  }

  #unitNamed(name: string): TokenUnit {
    const unit = this.#units.get(name);
    if (unit === undefined) {
      throw new AgentError('token.unknown', {
        message: `no token "${name}" is configured`,
        details: { configured: [...this.#units.keys()] },
      });
    }
    return unit;
  }

  /** The token of the derivation key where there is a keyring, else the only one. */
  #defaultToken(): string {
    const names = [...this.#units.keys()];
    const [only] = names;
    if (names.length === 1 && only !== undefined) return only;
    const anchor = this.#anchor;
    const derives = [...this.#units.values()].filter(
      (unit) => anchor !== undefined && holdsDerivation(unit, anchor),
    );
    const named = derives.find((unit) => unit.status().uri === anchor?.derivation.home.token) ?? derives[0];
    if (named !== undefined) return named.config.name;
    throw new AgentError('token.ambiguous', {
      message: 'several tokens are configured',
      hint: `name one with --token: ${names.join(', ')}`,
    });
  }

  #event(event: KeeperEvent): void {
    this.#front?.event(event);
  }
}
