/** The gateway as a process: files read, agent found, server started, until it is told to stop. */
import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { connectAgent } from '../../client/client.js';
import { findPlaces, serviceUidOf } from '../../client/places.js';
import { AgentError } from '../../errors/agent-error.js';
import { fileFault } from '../../platform/errno.js';
import { createLogger, logLevelOf } from '../../platform/log.js';
import { readSecretFile } from '../../platform/secret-file.js';
import { notifySystemd } from '../../platform/systemd.js';
import { AgentLine } from './agent-line.js';
import type { Note } from './note.js';
import { SignerServer, type ListenAddress } from './server.js';
import { StoredDocuments } from './stored-documents.js';

/** Connecting is local. Milliseconds. */
const CONNECT_MS = 10_000;

export interface GatewayOptions {
  readonly listen: ListenAddress;
  /** Files, PEM. */
  readonly certificate: string;
  readonly key: string;
  readonly clientAuthority: string;
  /** URL of the notary-server, where it is asked what it has stored. */
  readonly server?: string | undefined;
  /** File, PEM: the authority of its certificate. */
  readonly serverAuthority?: string | undefined;
  /** Socket of the agent, absolute. */
  readonly socket: string;
}

/** Runs until SIGTERM or SIGINT. @throws AgentError why it cannot start: `usage.file`, `gateway.tls`, `gateway.listen` */
export async function runNotarySigner(options: GatewayOptions): Promise<void> {
  const logger = createLogger('notary-signer', logLevelOf(process.env));
  const note: Note = (what, facts) => {
    logger.info(facts, what);
  };
  const identity = {
    certificate: readPublicFile(options.certificate),
    clientAuthority: readPublicFile(options.clientAuthority),
    key: readSecretFile(options.key),
  };
  using line = new AgentLine(() => connect(options.socket));
  const server = await SignerServer.listen(options.listen, identity, {
    line,
    stored: storedDocuments(options),
    note,
  });
  note('listening', { host: options.listen.host, port: server.port });
  notifySystemd('READY=1', process.env);
  await stopSignal();
  await server[Symbol.asyncDispose]();
  note('stopped', {});
}

function storedDocuments({ server, serverAuthority }: GatewayOptions): StoredDocuments | undefined {
  if (server === undefined) return undefined;
  const ca = serverAuthority === undefined ? undefined : readPublicFile(serverAuthority).toString('utf8');
  return new StoredDocuments({ server, ca, env: process.env, home: homedir() });
}

async function connect(socket: string): ReturnType<typeof connectAgent> {
  const uid = process.getuid?.() ?? -1;
  const places = await findPlaces({ env: process.env, uid, home: homedir(), socket });
  return connectAgent({
    socket: places.socket,
    uid,
    serviceUid: () => serviceUidOf(places),
    timeoutMs: CONNECT_MS,
    name: 'touchstone-notary-signer',
  });
}

function readPublicFile(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (cause) {
    throw new AgentError('usage.file', { message: `reading ${path}: ${fileFault(cause)}`, cause });
  }
}

function stopSignal(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const)
      process.once(signal, () => {
        resolve();
      });
  });
}
