/** Words of `cert`. */
import type { CommandSpec, OptionSpec } from '../command.js';

const AUTHORITY: OptionSpec = {
  flags: '--authority <key>',
  summary: 'key of the authority (default touchstone/ca#x509-ca)',
};

export const CERT_COMMANDS: readonly CommandSpec[] = [
  {
    path: ['cert', 'init'],
    summary: 'make the certificate of the authority that Notation verifiers trust; its key lives on a token',
    options: [
      {
        flags: '--subject <name>',
        summary: 'C, ST and O, for example "C=DE,ST=Berlin,O=Acme"',
        required: true,
      },
      { flags: '--days <number>', summary: 'how long it is valid (default 3650)' },
      { flags: '--renew', summary: 'replace the certificate that is there' },
      AUTHORITY,
    ],
    examples: [
      'touchstone key create touchstone/ca#x509-ca --token NAME',
      'touchstone cert init --subject "C=DE,ST=Berlin,O=Acme"',
    ],
    load: async () => (await import('../commands/cert-init.js')).certInit,
  },
  {
    path: ['cert', 'issue'],
    summary: 'issue or renew the certificate of a key with the role notation',
    arguments: [{ name: '<key>', summary: 'the key, for example registry.example/acme/app#notation' }],
    options: [{ flags: '--days <number>', summary: 'how long it is valid (default 365)' }, AUTHORITY],
    examples: ['touchstone cert issue registry.example/acme/app#notation'],
    load: async () => (await import('../commands/cert-issue.js')).certIssue,
  },
  {
    path: ['cert', 'show'],
    summary: 'print the chain of a key as PEM, or the authority for trust stores',
    arguments: [{ name: '[key]', summary: 'the key; without it the authority' }],
    examples: [
      'touchstone cert show > authority.pem',
      'touchstone cert show registry.example/acme/app#notation',
    ],
    load: async () => (await import('../commands/cert-show.js')).certShow,
  },
];
