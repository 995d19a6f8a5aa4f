/** Words of `audit` and `policy`. */
import type { CommandSpec } from '../command.js';

export const RECORD_COMMANDS: readonly CommandSpec[] = [
  {
    path: ['audit', 'show'],
    summary: 'show the newest records of the audit log, newest last',
    options: [
      { flags: '--limit <number>', summary: 'how many at most (default 50)' },
      { flags: '--after <sequence>', summary: 'only records after this one' },
      { flags: '--key <name>', summary: 'only records of this key' },
      { flags: '--outcome <outcome>', summary: 'signed or refused' },
    ],
    examples: ['touchstone audit show', 'touchstone audit show --outcome refused --limit 10 --json'],
    load: async () => (await import('../commands/audit-show.js')).auditShow,
  },
  {
    path: ['audit', 'verify'],
    summary: 'verify the whole audit log, without the agent',
    options: [
      { flags: '--dir <folder>', summary: 'folder with the files of the log' },
      {
        flags: '--key-file <file>',
        summary: 'public key of touchstone/agent#audit; else the keyring is used',
      },
    ],
    examples: ['touchstone audit verify', 'touchstone audit verify --dir ./audit --key-file audit.pub'],
    load: async () => (await import('../commands/audit-verify.js')).auditVerify,
  },
  {
    path: ['policy', 'check'],
    summary: 'check a policy file and name what is doubtful in it',
    arguments: [{ name: '[file]', summary: 'policy file (default: the one in force)' }],
    examples: ['touchstone policy check', 'touchstone policy check ./policy.toml'],
    load: async () => (await import('../commands/policy-check.js')).policyCheck,
  },
  {
    path: ['policy', 'explain'],
    summary: 'say what the agent would decide, and which rule says so',
    options: [
      { flags: '--key <name>', summary: 'key that would sign', required: true },
      { flags: '--kind <kind>', summary: 'what would be signed, for example sshsig:file', required: true },
      { flags: '--uid <uid>', summary: 'who would ask (default: you)' },
    ],
    examples: ['touchstone policy explain --key touchstone/release#ssh --kind sshsig:file'],
    load: async () => (await import('../commands/policy-explain.js')).policyExplain,
  },
];
