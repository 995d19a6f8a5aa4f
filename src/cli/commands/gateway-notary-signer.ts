/** `touchstone gateway notary-signer`: this process becomes the gateway, with a reduced environment and no way to debug it. */
import { dirname, join, resolve } from 'node:path';
import { AgentError } from '../../errors/agent-error.js';
import { SCRUBBED_NODE_FLAGS, scrubEnvironment } from '../../platform/hardening.js';
import { nativeShims } from '../../platform/native-shims.js';
import type { CommandResult, Invocation } from '../command.js';
import type { CliContext } from '../context.js';
import type { OptionValues } from '../option-values.js';
import { placesOf } from '../places.js';

const DEFAULT_LISTEN = '127.0.0.1:7899';

/** Never returns: the process is another program afterwards, or an error is thrown. */
export async function gatewayNotarySigner(
  context: CliContext,
  { options }: Invocation,
): Promise<CommandResult> {
  const { socket } = await placesOf(context);
  const argv = [
    process.execPath,
    ...SCRUBBED_NODE_FLAGS,
    join(dirname(context.program), 'notary-signer.js'),
    ...['--listen', options.text('listen') ?? DEFAULT_LISTEN, '--socket', socket],
    ...['tls-cert', 'tls-key', 'client-ca'].flatMap((name) => [
      `--${name}`,
      resolve(options.requiredText(name)),
    ]),
    ...serverOptions(options),
  ];
  const environment = Object.entries(scrubEnvironment(context.env, ['DOCKER_CONFIG'])).map(
    ([name, value]) => `${name}=${value}`,
  );
  return nativeShims().replaceProcess(process.execPath, argv, environment, []);
}

function serverOptions(options: OptionValues): readonly string[] {
  const server = options.text('server');
  const authority = options.text('server-ca');
  if (server === undefined && authority !== undefined) {
    throw new AgentError('usage.invalid', { message: 'option --server-ca: it goes with --server' });
  }
  return [
    ...(server === undefined ? [] : ['--server', server]),
    ...(authority === undefined ? [] : ['--server-ca', resolve(authority)]),
  ];
}
