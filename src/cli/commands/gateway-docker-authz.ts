/** `touchstone gateway docker-authz`: this process becomes the plugin, with a reduced environment and no way to debug it. */
import { dirname, join, resolve } from 'node:path';
import { SCRUBBED_NODE_FLAGS, scrubEnvironment } from '../../platform/hardening.js';
import { nativeShims } from '../../platform/native-shims.js';
import { listenFds } from '../../platform/systemd.js';
import type { CommandResult, Invocation } from '../command.js';
import type { CliContext } from '../context.js';

const DEFAULT_CONFIG = '/etc/touchstone/docker-authz.toml';
/** Where credentials for the trust server are. */
const EXTRA_NAMES = ['DOCKER_CONFIG'];

/** Never returns: the process is another program afterwards, or an error is thrown. */
export function gatewayDockerAuthz(context: CliContext, { options }: Invocation): Promise<CommandResult> {
  const argv = [
    process.execPath,
    ...SCRUBBED_NODE_FLAGS,
    join(dirname(context.program), 'touchstone-docker-authz.js'),
    ...['--config', resolve(options.text('config') ?? DEFAULT_CONFIG)],
  ];
  const environment = Object.entries(scrubEnvironment(context.env, EXTRA_NAMES)).map(
    ([name, value]) => `${name}=${value}`,
  );
  const inherited = listenFds(context.env, process.pid);
  return nativeShims().replaceProcess(process.execPath, argv, environment, inherited);
}
