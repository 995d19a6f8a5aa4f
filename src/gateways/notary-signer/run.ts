/** The gateway as a process: files read, agent found, server started, until it is told to stop. */
import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { connectAgent } from '../../client/client.js';
import { findPlaces, serviceUidOf } from '../../client/places.js';
import { AgentError } from '../../errors/agent-error.js';
import { createLogger, logLevelOf } from '../../platform/log.js';
import { readSecretFile } from '../../platform/secret-file.js';
import { notifySystemd } from '../../platform/systemd.js';
import { AgentLine } from './agent-line.js';
import { SignerServer, type ListenAddress } from './server.js';
import type { Note } from './services.js';
import { Signing } from './signing.js';

/** Connecting is local. Milliseconds. */
const CONNECT_MS = 10_000;

export interface GatewayOptions {
  readonly listen: ListenAddress;
  /** Files, PEM. */
  readonly certificate: string;
  readonly key: string;
  readonly clientAuthority: string;
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
  await using server = await SignerServer.listen(options.listen, identity, {
    line,
    signing: new Signing(line),
    note,
  });
  note('listening', { host: options.listen.host, port: server.port });
  notifySystemd('READY=1', process.env);
  await stopSignal();
  note('stopping', {});
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
    throw new AgentError('usage.file', { message: `reading ${path}: ${(cause as Error).message}`, cause });
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
