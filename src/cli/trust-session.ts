/** What commands need to read a repository of Docker Content Trust: options as a person types them, server, pins and memory. */
import { join, resolve } from 'node:path';
import type { Collection } from '../trust/collection.js';
import { FolderMemory } from '../trust/folder-memory.js';
import type { TrustMemory } from '../trust/memory.js';
import { loadPins } from '../trust/pin-file.js';
import type { PinSet } from '../trust/pins.js';
import { TrustServer } from '../trust/server.js';
import { updateCollection } from '../trust/update.js';
import type { CliContext } from './context.js';
import { readTextFile } from './input-file.js';
import type { OptionValues } from './option-values.js';
import { placesOf } from './places.js';

/** For everything that is asked of a trust server in one command, milliseconds. */
const TRUST_MS = 120_000;

export interface TrustSession {
  readonly server: TrustServer;
  readonly trustDir: string;
  readonly pins: PinSet;
  readonly memory: TrustMemory;
  /** Absolute time for everything that is asked of the server, milliseconds since 1970. */
  readonly deadline: number;
}

/** The folder of pins and memory. */
export async function trustFolder(context: CliContext, options: OptionValues): Promise<string> {
  const named = options.text('trust-dir') ?? context.env['TOUCHSTONE_TRUST_DIR'] ?? '';
  return named === '' ? join((await placesOf(context)).stateDir, 'trust') : resolve(named);
}

/** @param repository its full name (`parseTrustReference`) @throws AgentError `usage.invalid`, `usage.file`, `notary.policy` */
export async function openTrust(
  context: CliContext,
  options: OptionValues,
  repository: string,
): Promise<TrustSession> {
  const caFile = options.text('ca');
  const trustDir = await trustFolder(context, options);
  const deadline = Date.now() + (context.flags.timeoutMs ?? TRUST_MS);
  const server = new TrustServer(repository, {
    env: context.env,
    home: context.home,
    server: options.text('server'),
    ca: caFile === undefined ? undefined : readTextFile(caFile),
    plainHttp: options.flag('plain-http'),
    deadline,
  });
  return {
    server,
    trustDir,
    pins: loadPins(trustDir, context.uid, !options.isOff('tofu')),
    memory: new FolderMemory(trustDir),
    deadline,
  };
}

/** Reads and verifies a repository now; warnings go to standard error. @throws AgentError `notary.…` */
export async function readCollection(context: CliContext, session: TrustSession): Promise<Collection> {
  const { pins, memory } = session;
  const collection = await updateCollection(session.server, { pins, memory, nowMs: Date.now() });
  for (const warning of collection.warnings) context.warn(`warning: ${warning}`);
  return collection;
}
