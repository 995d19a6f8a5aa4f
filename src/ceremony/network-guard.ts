/**
 * A ceremony needs no network, so the program that runs it can reach none: from here on this process opens no socket but that of the
 * agent, resolves no name, listens nowhere and starts no other program. There is no way back but to end it.
 */
import { ChildProcess } from 'node:child_process';
import { promises, Resolver } from 'node:dns';
import { createRequire, syncBuiltinESMExports } from 'node:module';
import { Server, Socket } from 'node:net';
import { AgentError } from '../errors/agent-error.js';

const require = createRequire(import.meta.url);

/** Functions of other modules that reach out without a socket of `node:net`. */
const OTHER_DOORS: Readonly<Record<string, RegExp>> = {
  'node:dns': /^(?:lookup|resolve|reverse)/,
  'node:dns/promises': /^(?:lookup|resolve|reverse)/,
  'node:dgram': /^createSocket$/,
  'node:child_process': /^(?:spawn|exec|fork)/,
  // A thread would begin with modules that nobody has guarded.
  'node:worker_threads': /^Worker$/,
};

let allowed: string | undefined;
let isClosed = false;

/** @param agentSocket path of the one socket that may be opened; none when left out */
export function closeNetwork(agentSocket?: string): void {
  allowed = agentSocket;
  if (isClosed) return;
  isClosed = true;
  guardConnect();
  replace(Server.prototype, 'listen', refuse('listening'));
  for (const [name, doors] of Object.entries(OTHER_DOORS)) {
    refuseAll(require(name) as object, doors);
  }
  for (const prototype of [Resolver.prototype, promises.Resolver.prototype])
    refuseAll(prototype, /^(?:resolve|reverse)/);
  refuseAll(ChildProcess.prototype, /^spawn$/);
  // Named imports that other modules hold follow only after this.
  syncBuiltinESMExports();
}

function guardConnect(): void {
  const connect = Object.getOwnPropertyDescriptor(Socket.prototype, 'connect')?.value as unknown;
  if (typeof connect !== 'function') throw refusal('guarding sockets');
  replace(Socket.prototype, 'connect', function (this: Socket, ...args: readonly unknown[]): unknown {
    if (allowed === undefined || pathOf(args) !== allowed) throw refusal('connecting');
    return Reflect.apply(connect, this, args);
  });
}

/** The path of a Unix socket among the forms that `connect` takes; undefined for host and port. */
function pathOf([first]: readonly unknown[]): unknown {
  // Internal callers hand over the arguments as one list.
  const target: unknown = Array.isArray(first) ? first[0] : first;
  if (typeof target === 'string') return target;
  if (typeof target !== 'object' || target === null || !('path' in target)) return undefined;
  return 'port' in target && target.port !== undefined ? undefined : target.path;
}

function replace(
  target: object,
  name: string,
  value: (this: never, ...args: readonly unknown[]) => unknown,
): void {
  Object.defineProperty(target, name, { value, writable: false, configurable: false });
}

function refuseAll(target: object, names: RegExp): void {
  for (const name of Object.getOwnPropertyNames(target))
    if (names.test(name)) replace(target, name, refuse(name));
}

function refuse(what: string): () => never {
  // With `new` too: no arrow function.
  return function (): never {
    throw refusal(what);
  };
}

function refusal(what: string): AgentError {
  return new AgentError('ceremony.network', { message: `${what}: a ceremony reaches nothing but the agent` });
}
