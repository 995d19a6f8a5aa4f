/** Whether a trust server has a version of a role: what is asked before the agent forgets that it signed one. */
import { AgentError } from '../errors/agent-error.js';
import type { StoredCheck } from './commands/guard-abandon.js';
import { openTrust } from './trust-session.js';

/** `absent` is only said of a server that knows the repository: any other one has nothing of everything. */
export const storedOnServer: StoredCheck = async (context, { repository, role, version }, options) => {
  try {
    const { server } = await openTrust(context, options, repository);
    if ((await server.fetch(role, { version })) !== undefined) return 'stored';
    return (await server.fetch('root')) === undefined ? 'unknown' : 'absent';
  } catch (cause) {
    if (cause instanceof AgentError) {
      context.warn(`touchstone: the trust server was not asked: ${cause.message}`);
      return 'unknown';
    }
    throw cause;
  }
};
