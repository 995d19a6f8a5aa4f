import { findPlaces } from '../client/places.js';
import type { AgentPaths } from '../platform/paths.js';
import type { CliContext } from './context.js';

/** Where the agent lives for this command line. */
export function placesOf(context: CliContext): Promise<AgentPaths> {
  const { env, uid, home, flags } = context;
  return findPlaces({ env, uid, home, socket: flags.socket });
}
