/** Who keeps a card busy: the service does not say, but a program that uses cards has its library loaded. */
import { AgentError } from '../errors/agent-error.js';
import { smartCardUsers } from '../platform/smart-card-users.js';

/** Says in a `token.busy` which programs may hold the card. @param own process ids of the agent */
export function nameHolders(error: AgentError, own: readonly (number | undefined)[]): AgentError {
  if (error.code !== 'token.busy') return error;
  const users = smartCardUsers().filter(({ pid }) => !own.includes(pid));
  const names = users.map(({ name, pid }) => `${name} (pid ${pid})`);
  return new AgentError('token.busy', {
    message: error.message,
    hint:
      names.length === 0
        ? 'look for ykman, gpg ("gpgconf --kill scdaemon" ends its hold) or another agent; then try again'
        : `it may be ${names.join(', ')}; end that, or wait for it, and try again`,
    details: { ...error.details, programs: names },
    cause: error,
  });
}
