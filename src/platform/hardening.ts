/** What every process of the agent gives up before it touches a secret: see docs/threat-model.md for what that gains. */
import { AgentError } from '../errors/agent-error.js';
import { errnoOf } from './errno.js';
import { nativeShims } from './native-shims.js';

/** Reserved for documentation (RFC 5737): no host owns it, so an inspector told to listen there opens nothing. */
const NOWHERE = '192.0.2.1:9229';
const DISABLE_SIGUSR1 = '--disable-sigusr1';

/** Node's own options for every process of the agent: SIGUSR1 must not open a debugger. */
export const SCRUBBED_NODE_FLAGS: readonly string[] = [
  `--inspect-port=${NOWHERE}`,
  ...(process.allowedNodeEnvironmentFlags.has(DISABLE_SIGUSR1) ? [DISABLE_SIGUSR1] : []),
];

const KEPT_NAMES: ReadonlySet<string> = new Set([
  'PATH',
  'HOME',
  'USER',
  'LOGNAME',
  'LANG',
  'TZ',
  'TMPDIR',
  'XDG_CONFIG_HOME',
  'XDG_STATE_HOME',
  'XDG_RUNTIME_DIR',
  'LISTEN_PID',
  'LISTEN_FDS',
  'LISTEN_FDNAMES',
  'NOTIFY_SOCKET',
  'CREDENTIALS_DIRECTORY',
  'TOUCHSTONE_CONFIG',
  'TOUCHSTONE_STATE',
  'TOUCHSTONE_SOCK',
  'TOUCHSTONE_LOG',
]);
const KEPT_PREFIX = 'LC_';

export interface HardeningOptions {
  /** Process id of the parent whose death ends this process. */
  readonly parent?: number;
}

/**
 * Makes this process undumpable, without core files, without new privileges, with umask 077, and bound to its parent's life
 * when one is given; then asks the kernel whether it is so.
 * @throws AgentError `native.hardening`, or `native.missing`: the process must end.
 */
export function hardenThisProcess(options: HardeningOptions = {}): void {
  const shims = nativeShims();
  let facts: ReturnType<typeof shims.hardeningFacts>;
  try {
    shims.hardenProcess();
    if (options.parent !== undefined) shims.dieWithParent(options.parent);
    facts = shims.hardeningFacts();
  } catch (cause) {
    throw new AgentError('native.hardening', {
      message: `hardening this process: ${errnoOf(cause)}`,
      cause,
    });
  }
  if (facts.dumpable === 0 && facts.coreLimit === 0 && facts.noNewPrivs === 1) return;
  throw new AgentError('native.hardening', {
    message: 'hardening this process: the kernel accepted it but does not show it',
    details: { ...facts },
  });
}

/** The part of an environment that a process of the agent inherits: a fixed list of names, and those in `extra`. */
export function scrubEnvironment(
  environment: Readonly<Record<string, string | undefined>>,
  extra: readonly string[] = [],
): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const [name, value] of Object.entries(environment)) {
    if (value !== undefined && (isKept(name) || extra.includes(name))) kept[name] = value;
  }
  return kept;
}

function isKept(name: string): boolean {
  return KEPT_NAMES.has(name) || name.startsWith(KEPT_PREFIX);
}
