/** How other tools name our keys in a URI: `touchstone://REPOSITORY[#ROLE…]`. */
import { AgentError } from '../errors/agent-error.js';

const SCHEME = 'touchstone://';

/**
 * The key name in a reference, with the role filled in where it was left out; `%23` stands for `#` where a shell or URI needs it.
 * @throws AgentError `key.name-invalid`
 */
export function keyOfReference(reference: string, role: string): string {
  const rest = reference.startsWith(SCHEME) ? reference.slice(SCHEME.length) : reference;
  const name = rest
    .replaceAll(/%23/g, '#')
    .replaceAll(/%40/g, '@')
    .replaceAll(/%7[eE]/g, '~');
  if (name === '') throw new AgentError('key.name-invalid', { message: 'the key reference names no key' });
  return name.includes('#') ? name : `${name}#${role}`;
}
