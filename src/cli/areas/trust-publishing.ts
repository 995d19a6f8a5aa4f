/** Words of `trust` that publish. */
import type { ArgumentSpec, CommandSpec, OptionSpec } from '../command.js';
import { TRUST_OPTION_SPECS } from './trust-options.js';

const REPOSITORY: ArgumentSpec = { name: '<repository>', summary: 'for example registry.example/acme/app' };
const AS: OptionSpec = {
  flags: '--as <name>',
  summary: 'signer to sign as (default: TOUCHSTONE_TRUST_SIGNER); not needed where there is only one',
};
const ROLE: OptionSpec = {
  flags: '--role <role>',
  summary: 'exactly this role; may be repeated',
  kind: 'list',
};
const LEAVE: OptionSpec = {
  flags: '--leave <role>',
  summary: 'accept that readers go on getting the old image from this role; may be repeated',
  kind: 'list',
};
const DAYS: OptionSpec = {
  flags: '--days <number>',
  summary: 'how long the new signatures are good (default: root 3650, everything else 1095)',
};
const REGISTRY_CA: OptionSpec = {
  flags: '--registry-ca <file>',
  summary: 'PEM file with the authority of the registry',
};
const ROOT_KEY: OptionSpec = {
  flags: '--root-key <name>',
  summary: 'root key (default: REPOSITORY#root); may be repeated',
  kind: 'list',
};

export const TRUST_PUBLISHING_COMMANDS: readonly CommandSpec[] = [
  {
    path: ['trust', 'init'],
    summary: 'begin Docker Content Trust for a repository: root on the token, everything else derived',
    arguments: [REPOSITORY],
    options: [
      ROOT_KEY,
      { flags: '--threshold <number>', summary: 'how many of the root keys have to sign a root (default 1)' },
      { flags: '--server-snapshot', summary: 'the server keeps the snapshot key (default)' },
      { flags: '--client-snapshot', summary: 'the snapshot key is a leaf of yours' },
      DAYS,
      ...TRUST_OPTION_SPECS,
    ],
    examples: [
      'touchstone trust init registry.example/acme/app',
      'touchstone trust init registry.example/acme/app --root-key registry.example/acme/app#root --root-key registry.example/acme/app#root:1',
    ],
    load: async () => (await import('../commands/trust-init.js')).trustInit,
  },
  {
    path: ['trust', 'sign'],
    summary: 'sign tags of a repository, as the registry has them or as given; approve what others signed',
    arguments: [{ name: '<reference...>', summary: 'REPOSITORY:TAG or REPOSITORY:TAG@sha256:HEX' }],
    options: [
      AS,
      ROLE,
      { flags: '--digest <digest>', summary: 'sha256:HEX of the manifest, instead of asking the registry' },
      { flags: '--size <bytes>', summary: 'size of that manifest' },
      LEAVE,
      DAYS,
      REGISTRY_CA,
      ...TRUST_OPTION_SPECS,
    ],
    examples: [
      'touchstone trust sign registry.example/acme/app:1.0',
      'touchstone trust sign registry.example/acme/app:1.0 --as alice',
      'touchstone trust sign registry.example/acme/app:1.0 --digest sha256:9f86d081884c7d65… --size 1234',
    ],
    load: async () => (await import('../commands/trust-sign.js')).trustSign,
  },
  {
    path: ['trust', 'revoke'],
    summary: 'take a tag out of every role that readers pull from',
    arguments: [{ name: '<reference>', summary: 'REPOSITORY:TAG, or REPOSITORY with --all' }],
    options: [{ flags: '--all', summary: 'every tag' }, AS, ROLE, LEAVE, DAYS, ...TRUST_OPTION_SPECS],
    examples: ['touchstone trust revoke registry.example/acme/app:1.0'],
    load: async () => (await import('../commands/trust-revoke.js')).trustRevoke,
  },
  {
    path: ['trust', 'root-cert'],
    summary: 'print the certificate of the root key for a repository, for "notary init --rootcert"',
    arguments: [REPOSITORY],
    options: [ROOT_KEY, { flags: '--renew', summary: 'make a new certificate' }, DAYS, ...TRUST_OPTION_SPECS],
    examples: ['touchstone trust root-cert registry.example/acme/app > root.pem'],
    load: async () => (await import('../commands/trust-root-cert.js')).trustRootCert,
  },
];
