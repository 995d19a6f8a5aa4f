/** One connection per command: opened, used, closed. */
import { connectAgent, type AgentClient } from '../client/client.js';
import type { ConnectOptions } from '../client/connect.js';
import { serviceUidOf } from '../client/places.js';
import type { AgentPaths } from '../platform/paths.js';
import { LIMITS } from '../protocol/limits.js';
import type { CliContext } from './context.js';
import { placesOf } from './places.js';
import { packageVersion } from './version.js';
import { noteWaits } from './wait-notes.js';

/** Connecting is local: an agent that does not greet within this time hangs. Milliseconds. */
const CONNECT_MS = 10_000;

/** How to connect from this command line. */
export function connectOptions(context: CliContext, places: AgentPaths): ConnectOptions {
  return {
    socket: places.socket,
    uid: context.uid,
    serviceUid: () => serviceUidOf(places),
    timeoutMs: Math.min(context.flags.timeoutMs ?? CONNECT_MS, CONNECT_MS),
  };
}

/** Connects to the agent, hands the client over and closes it whatever happens; says meanwhile what is waited for. */
export async function withAgent<T>(
  context: CliContext,
  use: (client: AgentClient) => Promise<T>,
  options: { readonly noteWaits: boolean } = { noteWaits: true },
): Promise<T> {
  const places = await placesOf(context);
  const name = `touchstone-cli/${packageVersion()}`;
  using client = await connectAgent({ ...connectOptions(context, places), name });
  // A prompt puts its terminal in order before the shell is back.
  const stopHearing = context.onInterrupt(() => client.cancelPending());
  const stop = options.noteWaits ? noteWaits(context, client) : undefined;
  try {
    return await use(client);
  } finally {
    // What ends with the command is no news for who runs it.
    stop?.();
    stopHearing();
  }
}

/** Deadline of one request: --timeout, capped at what the agent accepts. Milliseconds. */
export function requestTimeoutMs(context: CliContext): number {
  return Math.min(context.flags.timeoutMs ?? LIMITS.defaultDeadlineMs, LIMITS.maxDeadlineMs);
}
