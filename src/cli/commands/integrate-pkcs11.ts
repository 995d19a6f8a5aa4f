/** `touchstone integrate pkcs11`: a module file for p11-kit, after which every program that uses p11-kit sees the agent's keys. */
import { join } from 'node:path';
import { AgentError } from '../../errors/agent-error.js';
import type { CommandResult, Invocation } from '../command.js';
import type { CliContext } from '../context.js';
import { integrateFile } from '../owned-file.js';
import { enabledDoor, SERVER_ADDRESS } from '../pkcs11-door.js';

const SYSTEM_FOLDER = '/etc/pkcs11/modules';
const FILE_NAME = 'touchstone.module';
/** Other users' programs may read where the socket is; the socket itself decides who is let in. */
const MODE = 0o644;

/** Writes `touchstone.module` for this user, or for everybody with --system. */
export async function integratePkcs11(context: CliContext, invocation: Invocation): Promise<CommandResult> {
  const isSystem = invocation.options.flag('system');
  if (context.uid === 0 && !isSystem) {
    throw new AgentError('usage.invalid', {
      message: 'option --system: p11-kit reads no user configuration for root',
      hint: `add --system, or set ${SERVER_ADDRESS} as "touchstone env" prints it`,
    });
  }
  const address = await enabledDoor(context);
  const folder = isSystem ? SYSTEM_FOLDER : join(configHome(context), 'pkcs11', 'modules');
  return integrateFile(context, invocation, {
    file: { path: join(folder, FILE_NAME), content: `remote: ${address}\n`, mode: MODE },
    next: ['next: "p11-kit list-modules" shows the token "touchstone"'],
    facts: { address },
  });
}

function configHome({ env, home }: CliContext): string {
  const own = env['XDG_CONFIG_HOME'] ?? '';
  return own === '' ? join(home, '.config') : own;
}
