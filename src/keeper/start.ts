/** Starts a keeper: folders, locks, configuration, socket, front; and the ways it ends. */
import { secureHeapUsed } from 'node:crypto';
import { join } from 'node:path';
import { parseConfig, type Config } from '../config/document.js';
import { socketPlaces } from '../config/sockets.js';
import type { PinSource } from '../config/token-document.js';
import { AgentError } from '../errors/agent-error.js';
import { hardenThisProcess } from '../platform/hardening.js';
import { createLogger, logLevelOf, type LogLevel } from '../platform/log.js';
import { readSecretFile } from '../platform/secret-file.js';
import { FolderLock } from '../platform/store/folder-lock.js';
import { ensurePrivateFolder } from '../platform/store/private-folder.js';
import { readTrustedFile } from '../platform/store/trusted-file.js';
import { notifySystemd, readCredential } from '../platform/systemd.js';
import { CardSetupFile } from '../state/card-setup-file.js';
import { KeyringFile } from '../state/keyring-file.js';
import { PinLedger } from '../state/pin-ledger.js';
import { StoredPinMarks } from '../state/stored-pin-marks.js';
import { Keeper } from './keeper.js';
import { openSockets, type ListeningSocket } from './listening-sockets.js';
import { FrontSupervisor } from './supervise.js';

export interface KeeperStart {
  readonly configFile: string;
  readonly stateDir: string;
  readonly socket: string;
  readonly allowRoot: boolean;
  readonly logLevel: LogLevel | undefined;
  /** Absolute paths of the entry scripts of the other processes. */
  readonly frontEntry: string;
  readonly hostEntry: string;
  readonly keychainEntry: string;
}

/** Time for the front to finish and seal the log when the agent stops, milliseconds. */
const DRAIN_MS = 4_000;
const LINE_FEED = 0x0a;

/** Runs until SIGTERM or SIGINT. @throws AgentError why it cannot start */
export function startKeeper(start: KeeperStart): void {
  hardenThisProcess();
  requireSecureHeap();
  const uid = process.getuid?.() ?? 0;
  if (uid === 0 && !start.allowRoot) throw new AgentError('agent.root-refused');
  const logger = createLogger('keeper', start.logLevel ?? logLevelOf(process.env));
  const config = readConfig(start.configFile, uid);
  ensurePrivateFolder(start.stateDir, 'state');
  const sockets = openSockets(socketPlaces(config, start.socket), process.env, config.allowUids.length > 0);
  try {
    run(start, { config, uid, logger, sockets });
  } catch (error) {
    removeAll(sockets);
    throw error;
  }
}

/** Node goes on with the ordinary heap when it cannot set the secure one up. @throws AgentError `native.hardening` */
function requireSecureHeap(): void {
  if (secureHeapUsed().total > 0) return;
  throw new AgentError('native.hardening', {
    message: 'keys need the secure heap, and this process has none',
    hint: 'start the agent with "touchstone agent start"',
  });
}

interface Opened {
  readonly config: Config;
  readonly uid: number;
  readonly logger: ReturnType<typeof createLogger>;
  readonly sockets: readonly ListeningSocket[];
}

function removeAll(sockets: readonly ListeningSocket[]): void {
  for (const socket of sockets) socket.remove();
}

function run(start: KeeperStart, { config, uid, logger, sockets }: Opened): void {
  const lock = FolderLock.take(start.stateDir);
  let ready = false;
  const keeper = new Keeper({
    config,
    configFile: start.configFile,
    stateDir: start.stateDir,
    keyringFile: new KeyringFile(start.stateDir),
    pinLedger: PinLedger.open(join(start.stateDir, 'pin-ledger.json'), Date.now),
    storedPins: StoredPinMarks.open(join(start.stateDir, 'stored-pins.json')),
    cardSetups: new CardSetupFile(join(start.stateDir, 'card-setup.json')),
    hostEntry: start.hostEntry,
    keychainEntry: start.keychainEntry,
    startedAt: new Date().toISOString().replace(/\.\d{3}Z$/, 'Z'),
    onFrontReady: () => {
      supervisor.served();
      notifySystemd('READY=1', process.env);
      if (ready) return;
      ready = true;
      unlockFromSources(keeper, config, uid);
    },
    note: (what, facts) => {
      logger.info(facts, what);
    },
  });
  const supervisor = new FrontSupervisor({
    entry: start.frontEntry,
    args: frontArguments(start),
    sockets,
    onStart: (fd, pid) => {
      logger.info({ front: pid }, 'front started');
      keeper.attach(fd);
    },
    onExit: (code, pauseMs) => {
      logger.warn({ code, pauseMs }, 'front ended');
      // A front that never came up says why on stderr; trying again would only repeat it.
      if (ready || code === null || code === 0) return;
      removeAll(sockets);
      process.exit(code);
    },
  });
  supervisor.start();
  onSignals(keeper, async () => {
    notifySystemd('STOPPING=1', process.env);
    keeper.drain();
    await supervisor.stop(DRAIN_MS);
    keeper.wipe();
    removeAll(sockets);
    lock[Symbol.dispose]();
    process.exit(0);
  });
}

function onSignals(keeper: Keeper, stop: () => Promise<void>): void {
  let stopping = false;
  const stopOnce = (): void => {
    if (stopping) return;
    stopping = true;
    void stop();
  };
  process.on('SIGTERM', stopOnce);
  process.on('SIGINT', stopOnce);
  process.on('SIGHUP', () => {
    keeper.lockAndReload();
  });
}

/** It names the code that token hosts load, so nobody else may be able to write it. */
function readConfig(path: string, uid: number): Config {
  const text = readTrustedFile(path, uid, 'config.invalid');
  if (text === undefined) throw new AgentError('config.missing', { details: { file: path } });
  return parseConfig(text, path);
}

function frontArguments(start: KeeperStart): readonly string[] {
  const { configFile, stateDir, socket, logLevel } = start;
  return [
    ...['--config', configFile, '--state', stateDir, '--socket', socket],
    ...(logLevel === undefined ? [] : ['--log-level', logLevel]),
  ];
}

function unlockFromSources(keeper: Keeper, config: Config, uid: number): void {
  for (const token of config.tokens) {
    const { pin } = token;
    if (pin.source === 'file' || pin.source === 'credential')
      void keeper.unlockFromSource(token.name, () => readPin(pin), uid);
  }
}

/** One line feed at the end belongs to the file, not to the PIN. */
function readPin(source: Extract<PinSource, { source: 'file' | 'credential' }>): Buffer {
  const bytes =
    source.source === 'file' ? readSecretFile(source.path) : readCredential(source.name, process.env);
  return bytes.at(-1) === LINE_FEED ? bytes.subarray(0, -1) : bytes;
}
