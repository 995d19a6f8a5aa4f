/** How a plugin reaches the agent: found as every client finds it, one connection for one call of the plugin. */
import { homedir } from 'node:os';
import { connectAgent, type AgentClient } from '../client/client.js';
import { findPlaces, serviceUidOf } from '../client/places.js';
import { AgentError } from '../errors/agent-error.js';
import { LIMITS } from '../protocol/limits.js';

/** Connecting is local. Milliseconds. */
const CONNECT_MS = 10_000;
/** Left for our own answer before the host of the plugin kills it. Milliseconds. */
const MARGIN_MS = 500;

/**
 * Connects, hands the client over and closes it whatever happens. @param name how the plugin names itself
 * @throws AgentError agent.…
 */
export async function throughDoor<T>(name: string, use: (client: AgentClient) => Promise<T>): Promise<T> {
  const uid = process.getuid?.() ?? -1;
  const places = await findPlaces({ env: process.env, uid, home: homedir() });
  using client = await connectAgent({
    socket: places.socket,
    uid,
    serviceUid: () => serviceUidOf(places),
    timeoutMs: CONNECT_MS,
    name,
  });
  return await use(client);
}

/**
 * Milliseconds that a request may take when the host of the plugin waits until `deadline` (RFC 3339), if it says.
 * @throws AgentError `limits.deadline` when it has passed
 */
export function requestMs(deadline: string | undefined): number {
  const end = deadline === undefined ? Number.NaN : Date.parse(deadline);
  if (Number.isNaN(end)) return LIMITS.maxDeadlineMs;
  const left = end - Date.now() - MARGIN_MS;
  if (left <= 0) throw new AgentError('limits.deadline');
  return Math.min(LIMITS.maxDeadlineMs, left);
}
