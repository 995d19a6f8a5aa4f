/** The key that git is to sign with. */
import { listKeys } from '../../client/key-list.js';
import { sshPublicKeyLine } from '../../crypto/public-key.js';
import { AgentError } from '../../errors/agent-error.js';
import { withAgent } from '../agent-session.js';
import type { CliContext } from '../context.js';

export interface GitKey {
  readonly name: string;
  readonly keyId: string;
  /** `TYPE BASE64 NAME`. */
  readonly line: string;
}

/**
 * The named key, or the only active one that may sign for git.
 * @throws AgentError `key.unknown`, `key.ambiguous`, `key.usage`
 */
export async function gitKeyOf(context: CliContext, name: string | undefined): Promise<GitKey> {
  return withAgent(context, async (client) => {
    const known =
      name === undefined
        ? (await listKeys((page) => client.call('keys.list', page), {})).keys
        : [(await client.call('keys.show', { key: name })).key];
    const fitting = known.filter((key) => key.state === 'active' && key.kinds.includes('sshsig:*'));
    const [key, ...others] = fitting;
    if (key?.publicKey === undefined || key.keyId === undefined) throw noKey(name);
    if (others.length > 0) {
      throw new AgentError('key.ambiguous', {
        message: 'several keys could sign for git',
        hint: `name one with --key: ${fitting.map((one) => one.name).join(', ')}`,
      });
    }
    const line = sshPublicKeyLine(Buffer.from(key.publicKey, 'base64'), key.name);
    return { name: key.name, keyId: key.keyId, line };
  });
}

function noKey(name: string | undefined): AgentError {
  if (name !== undefined) return new AgentError('key.usage', { message: `${name} may not sign for git` });
  return new AgentError('key.unknown', {
    message: 'no key may sign for git',
    hint: 'make one: touchstone key derive NAME#ssh, for example team/app#ssh',
  });
}
