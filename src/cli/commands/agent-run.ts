/** `touchstone agent run`: this process becomes the keeper (design, section 2), with a reduced environment and no way to debug it. */
import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { AgentError } from '../../errors/agent-error.js';
import { SCRUBBED_NODE_FLAGS, scrubEnvironment } from '../../platform/hardening.js';
import { nativeShims } from '../../platform/native-shims.js';
import { PROMPT_VARIABLES } from '../../platform/prompt/prompt-program.js';
import { listenFds } from '../../platform/systemd.js';
import type { CommandResult, Invocation } from '../command.js';
import type { CliContext } from '../context.js';
import type { OptionValues } from '../option-values.js';
import { placesOf } from '../places.js';

/** OpenSSL's secure heap: room for about 16,000 P-256 leaves (docs/architecture.md). */
const SECURE_HEAP_FLAGS = ['--secure-heap=1048576', '--secure-heap-min=16'] as const;

const LOG_LEVELS = ['error', 'warn', 'info', 'debug'] as const;

/** Never returns: the process is another program afterwards, or an error is thrown. */
export async function agentRun(context: CliContext, invocation: Invocation): Promise<CommandResult> {
  const agentOptions = agentOptionsOf(context, invocation.options);
  const places = await placesOf(context);
  mkdirSync(places.stateDir, { recursive: true, mode: 0o700 });
  const keeper = join(dirname(context.program), 'keeper.js');
  const argv = [
    process.execPath,
    ...SCRUBBED_NODE_FLAGS,
    ...SECURE_HEAP_FLAGS,
    keeper,
    ...['--config', places.configFile, '--state', places.stateDir, '--socket', places.socket],
    ...agentOptions,
  ];
  const environment = Object.entries(scrubEnvironment(context.env, PROMPT_VARIABLES)).map(
    ([name, value]) => `${name}=${value}`,
  );
  const inherited = listenFds(context.env, process.pid);
  return nativeShims().replaceProcess(process.execPath, argv, environment, inherited);
}

/**
 * `--allow-root` and `--log-level` as the keeper takes them.
 * @throws AgentError agent.root-refused for root without --allow-root
 */
export function agentOptionsOf(context: CliContext, options: OptionValues): readonly string[] {
  const allowRoot = options.flag('allow-root');
  if (context.uid === 0 && !allowRoot) throw new AgentError('agent.root-refused');
  const level = options.choice('log-level', LOG_LEVELS);
  return [...(allowRoot ? ['--allow-root'] : []), ...(level === undefined ? [] : ['--log-level', level])];
}
