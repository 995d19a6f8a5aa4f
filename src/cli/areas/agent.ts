/** Words of `agent`, `unlock`, `lock` and `pin`. */
import type { CommandSpec, OptionSpec } from '../command.js';
import { PIN_OPTIONS } from './pin-options.js';

const ALLOW_ROOT: OptionSpec = { flags: '--allow-root', summary: 'run as root; refused without it' };

export const AGENT_COMMANDS: readonly CommandSpec[] = [
  {
    path: ['agent', 'run'],
    summary: 'become the agent and stay in the foreground',
    options: [
      ALLOW_ROOT,
      { flags: '--log-level <level>', summary: 'error, warn, info or debug (default info)' },
    ],
    examples: ['touchstone agent run', 'touchstone agent run --log-level debug'],
    load: async () => (await import('../commands/agent-run.js')).agentRun,
  },
  {
    path: ['agent', 'start'],
    summary: 'start the agent in the background and wait until it answers',
    options: [
      ALLOW_ROOT,
      { flags: '--log-level <level>', summary: 'error, warn, info or debug (default info)' },
    ],
    examples: ['touchstone agent start', 'touchstone agent start --json'],
    load: async () => (await import('../commands/agent-start.js')).agentStart,
  },
  {
    path: ['agent', 'stop'],
    summary: 'stop the agent; every loaded key is wiped',
    examples: ['touchstone agent stop'],
    load: async () => (await import('../commands/agent-stop.js')).agentStop,
  },
  {
    path: ['agent', 'status'],
    summary: 'show tokens, leases, keys, audit log and policy of the running agent',
    examples: ['touchstone agent status', 'touchstone agent status --json'],
    load: async () => (await import('../commands/agent-status.js')).agentStatus,
  },
  {
    path: ['unlock'],
    summary: 'enter the PIN of a token; its keys are loaded and a lease begins',
    options: [
      { flags: '--token <name>', summary: 'token in touchstone.toml; needed when there are several' },
      { flags: '--key <name>', summary: 'load only this key; may be repeated', kind: 'list' },
      {
        flags: '--kind <glob>',
        summary: 'allow only these kinds, for example sshsig:*; may be repeated',
        kind: 'list',
      },
      { flags: '--for <time>', summary: 'how long the lease lasts, for example 30m or 8h' },
      { flags: '--uses <number>', summary: 'how many signatures the lease is good for' },
      { flags: '--blind', summary: 'also allow bare digests, where a policy rule does' },
      { flags: '--wait <time>', summary: 'wait so long for a token that is not there, for example 60s' },
      { flags: '--enter-pin', summary: 'type the PIN here, whatever touchstone.toml says' },
      ...PIN_OPTIONS,
    ],
    examples: [
      'touchstone unlock',
      'touchstone unlock --for 8h --key touchstone/release#ssh',
      'touchstone unlock --wait 60s',
      'touchstone unlock --token release --pin-file /run/secrets/pin',
    ],
    load: async () => (await import('../commands/unlock.js')).unlock,
  },
  {
    path: ['lock'],
    summary: 'wipe loaded keys and end token sessions',
    options: [{ flags: '--token <name>', summary: 'only this token; all when left out' }],
    examples: ['touchstone lock', 'touchstone lock --token release'],
    load: async () => (await import('../commands/lock.js')).lock,
  },
  {
    path: ['pin', 'store'],
    summary: 'put the PIN of a token into the keychain, after a word of warning',
    options: [
      { flags: '--token <name>', summary: 'token in touchstone.toml; needed when there are several' },
      { flags: '--confirm <word>', summary: 'the word that is otherwise typed' },
      ...PIN_OPTIONS,
    ],
    examples: ['touchstone pin store --token release'],
    load: async () => (await import('../commands/pin-store.js')).pinStore,
  },
  {
    path: ['pin', 'forget'],
    summary: 'take the PIN of a token out of the keychain',
    options: [
      { flags: '--token <name>', summary: 'token in touchstone.toml; needed when there are several' },
    ],
    examples: ['touchstone pin forget --token release'],
    load: async () => (await import('../commands/pin-forget.js')).pinForget,
  },
];
