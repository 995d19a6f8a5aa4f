/** Words of `trust` that read. None of them needs the agent. */
import type { ArgumentSpec, CommandSpec, OptionSpec } from '../command.js';
import { TRUST_OPTION_SPECS } from './trust-options.js';

const REPOSITORY: ArgumentSpec = { name: '<repository>', summary: 'for example registry.example/acme/app' };
const ROLE: OptionSpec = {
  flags: '--role <role>',
  summary: 'only tags of this role, for example targets/alice; may be repeated, the first match wins',
  kind: 'list',
};

export const TRUST_READING_COMMANDS: readonly CommandSpec[] = [
  {
    path: ['trust', 'list'],
    summary: 'list signed tags and files: what a trusted pull would take, and who has signed it',
    arguments: [REPOSITORY],
    options: [ROLE, ...TRUST_OPTION_SPECS],
    examples: [
      'touchstone trust list registry.example/acme/app',
      'touchstone trust list --role targets/alice registry.example/acme/app',
    ],
    load: async () => (await import('../commands/trust-list.js')).trustList,
  },
  {
    path: ['trust', 'inspect'],
    summary: 'show tags, who approved which digest, and roles with their versions, dates and keys',
    arguments: [
      { name: '<repository...>', summary: 'REPOSITORY, or REPOSITORY:TAG for one tag; one or more' },
    ],
    options: [
      { flags: '--docker', summary: 'print what "docker trust inspect" prints' },
      ...TRUST_OPTION_SPECS,
    ],
    examples: [
      'touchstone trust inspect registry.example/acme/app',
      'touchstone trust inspect --docker registry.example/acme/app:1.0',
    ],
    load: async () => (await import('../commands/trust-inspect.js')).trustInspect,
  },
  {
    path: ['trust', 'lookup'],
    summary: 'print digest, size and custom data of one tag or file',
    arguments: [REPOSITORY, { name: '<tag>', summary: 'for example 1.0, or the name of a file' }],
    options: [ROLE, ...TRUST_OPTION_SPECS],
    examples: ['touchstone trust lookup registry.example/acme/app 1.0'],
    load: async () => (await import('../commands/trust-lookup.js')).trustLookup,
  },
  {
    path: ['trust', 'file', 'verify'],
    summary: 'verify that a file is the one that was signed under a name, and pass it on if it is',
    arguments: [
      REPOSITORY,
      { name: '<name>', summary: 'name that it was signed under' },
      { name: '[file]', summary: 'the file; without it standard input' },
    ],
    options: [
      {
        flags: '-o, --output <file>',
        summary: 'write the file here, "-" for standard output, once all of it is verified',
      },
      ROLE,
      ...TRUST_OPTION_SPECS,
    ],
    examples: [
      'touchstone trust file verify registry.example/acme/tools install.sh ./install.sh',
      'curl -s https://acme.example/install.sh | touchstone trust file verify registry.example/acme/tools install.sh -o - | sh',
    ],
    load: async () => (await import('../commands/trust-file-verify.js')).trustFileVerify,
  },
  {
    path: ['trust', 'verify'],
    summary: 'verify that an image is signed, by the teams that a policy asks for; prints the digest to run',
    arguments: [{ name: '<image>', summary: 'REPOSITORY:TAG, or REPOSITORY@sha256:HEX' }],
    options: [
      { flags: '--policy <file>', summary: 'people, teams and rules (docs/spec/trust-policy.md)' },
      { flags: '--env <name>', summary: 'environment that the rules are asked for, for example production' },
      { flags: '--from <folder>', summary: 'read a copy made by "touchstone trust save", not the server' },
      {
        flags: '--at <time>',
        summary: 'with --from: judge dates as of this time, for example 2027-01-31T12:00:00Z',
      },
      ...TRUST_OPTION_SPECS,
    ],
    examples: [
      'touchstone trust verify --policy teams.toml --env production registry.example/acme/app:1.0',
      'touchstone trust verify --policy teams.toml --from ./copy registry.example/acme/app:1.0',
    ],
    load: async () => (await import('../commands/trust-verify.js')).trustVerify,
  },
  {
    path: ['trust', 'status'],
    summary: 'compare the server with what this machine saw last, and show a publish that was interrupted',
    arguments: [REPOSITORY],
    options: TRUST_OPTION_SPECS,
    examples: ['touchstone trust status registry.example/acme/app'],
    load: async () => (await import('../commands/trust-status.js')).trustStatus,
  },
  {
    path: ['trust', 'watch'],
    summary:
      'report what expires soon; exit status 1 when something does, 6 when something has expired or cannot be verified',
    arguments: [{ name: '<repository...>', summary: 'for example registry.example/acme/app' }],
    options: [
      { flags: '--within <time>', summary: 'how far ahead to look (default 30d)' },
      ...TRUST_OPTION_SPECS,
    ],
    examples: ['touchstone trust watch --within 60d registry.example/acme/app registry.example/acme/base'],
    load: async () => (await import('../commands/trust-watch.js')).trustWatch,
  },
  {
    path: ['trust', 'pin'],
    summary: 'believe only this root: the one in force, a certificate, or what an authority issues',
    arguments: [
      { name: '[repository]', summary: 'REPOSITORY, or a prefix and "*"; without it pins are listed' },
    ],
    options: [
      {
        flags: '--certificate <id>',
        summary: 'id of a root key as "touchstone trust inspect" and docker show it; may be repeated',
        kind: 'list',
      },
      { flags: '--root-ca <file>', summary: 'PEM file with the authority that issues root certificates' },
      { flags: '--remove', summary: 'remove the pin' },
      ...TRUST_OPTION_SPECS,
    ],
    examples: [
      'touchstone trust pin registry.example/acme/app',
      "touchstone trust pin --root-ca acme-ca.pem 'registry.example/acme/*'",
      'touchstone trust pin --remove registry.example/acme/app',
    ],
    load: async () => (await import('../commands/trust-pin.js')).trustPin,
  },
  {
    path: ['trust', 'save'],
    summary: 'save the metadata of a repository, to verify without the server',
    arguments: [REPOSITORY, { name: '<folder>', summary: 'where to; made if missing' }],
    options: TRUST_OPTION_SPECS,
    examples: ['touchstone trust save registry.example/acme/app ./copy'],
    load: async () => (await import('../commands/trust-save.js')).trustSave,
  },
];
