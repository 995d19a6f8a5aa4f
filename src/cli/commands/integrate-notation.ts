/** `touchstone integrate notation`: the signing plugin where notation looks for it, and proof that it answers. */
import { join } from 'node:path';
import type { CommandResult, Invocation } from '../command.js';
import type { CliContext } from '../context.js';
import { integrateFile } from '../owned-file.js';
import { launcherOf, tryPlugin } from '../plugin-launcher.js';

const PLUGIN = 'notation-touchstone';

/** Writes a launcher of the plugin, a real file as notation demands, and runs it once. */
export function integrateNotation(context: CliContext, invocation: Invocation): Promise<CommandResult> {
  const { options } = invocation;
  const file = launcherOf(context, PLUGIN, join(libexec(context), 'plugins', 'touchstone', PLUGIN));
  const next = ['next: notation sign --plugin touchstone --id REPOSITORY IMAGE'];
  const result = integrateFile(context, invocation, { file, next, facts: {} });
  if (!options.flag('undo') && !options.flag('dry-run'))
    tryPlugin(file.path, ['get-plugin-metadata'], '"SIGNATURE_GENERATOR.RAW"');
  return Promise.resolve(result);
}

function libexec({ env, home }: CliContext): string {
  const own = [env['NOTATION_LIBEXEC'], env['NOTATION_CONFIG']].find(
    (each) => each !== undefined && each !== '',
  );
  if (own !== undefined) return own;
  const config = env['XDG_CONFIG_HOME'] ?? '';
  return join(config === '' ? join(home, '.config') : config, 'notation');
}
