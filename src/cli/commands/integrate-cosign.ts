/** `touchstone integrate cosign`: the KMS plugin where cosign looks for it, on PATH, and proof that it answers. */
import { join, resolve } from 'node:path';
import type { CommandResult, Invocation } from '../command.js';
import type { CliContext } from '../context.js';
import { integrateFile } from '../owned-file.js';
import { launcherOf, tryPlugin } from '../plugin-launcher.js';

const PLUGIN = 'sigstore-kms-touchstone';
const QUESTION = {
  initOptions: { protocolVersion: 'v1' },
  methodName: 'defaultAlgorithm',
  defaultAlgorithm: {},
};

/** Writes a launcher of the plugin and runs it once. */
export function integrateCosign(context: CliContext, invocation: Invocation): Promise<CommandResult> {
  const { options } = invocation;
  const folder = resolve(options.text('dir') ?? join(context.home, '.local', 'bin'));
  const file = launcherOf(context, PLUGIN, join(folder, PLUGIN));
  const isOnPath = (context.env['PATH'] ?? '').split(':').includes(folder);
  const next = [
    ...(isOnPath ? [] : [`add ${folder} to PATH: cosign looks for the plugin there`]),
    // Without these options cosign tells a public log about the image.
    'next: cosign sign --key touchstone://REPOSITORY --tlog-upload=false --use-signing-config=false IMAGE',
  ];
  const result = integrateFile(context, invocation, { file, next, facts: {} });
  if (!options.flag('undo') && !options.flag('dry-run'))
    tryPlugin(file.path, ['v1', JSON.stringify(QUESTION)], '"defaultAlgorithm"');
  return Promise.resolve(result);
}
