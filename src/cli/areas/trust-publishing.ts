/** Words of `trust` that publish. */
import type { ArgumentSpec, CommandSpec, OptionSpec } from '../command.js';
import { TRUST_OPTION_SPECS } from './trust-options.js';

const REPOSITORY: ArgumentSpec = { name: '<repository>', summary: 'for example registry.example/acme/app' };
const REPOSITORIES: ArgumentSpec = {
  name: '<repository...>',
  summary: 'one or more; one that fails keeps nobody from the others',
};
const SIGNER: ArgumentSpec = {
  name: '<name>',
  summary: 'the signer, for example alice; may stand behind the repositories',
};
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
const CONFIRM: OptionSpec = {
  flags: '--confirm <repository>',
  summary:
    'the name once more: targets/releases is made anew where it is broken, and what nobody vouches for is lost',
  kind: 'list',
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
    path: ['trust', 'file', 'add'],
    summary: 'sign a file of any kind under a name; readers check it with "trust file verify" or notary',
    arguments: [
      REPOSITORY,
      { name: '<name>', summary: 'name to sign it under, for example install.sh' },
      { name: '<file>', summary: 'the file, or "-" for standard input' },
    ],
    options: [
      { flags: '--custom <file>', summary: 'JSON to sign with it, for whoever reads it' },
      AS,
      ROLE,
      LEAVE,
      DAYS,
      ...TRUST_OPTION_SPECS,
    ],
    examples: [
      'touchstone trust file add registry.example/acme/tools install.sh ./install.sh',
      'touchstone trust file add registry.example/acme/tools tool-1.0.tar.gz dist/tool-1.0.tar.gz --custom about.json',
    ],
    load: async () => (await import('../commands/trust-file-add.js')).trustFileAdd,
  },
  {
    path: ['trust', 'file', 'remove'],
    summary: 'take a file out of every role that readers take it from',
    arguments: [REPOSITORY, { name: '<name>', summary: 'name that it was signed under' }],
    options: [AS, ROLE, LEAVE, DAYS, ...TRUST_OPTION_SPECS],
    examples: ['touchstone trust file remove registry.example/acme/tools install.sh'],
    load: async () => (await import('../commands/trust-file-remove.js')).trustFileRemove,
  },
  {
    path: ['trust', 'root-cert'],
    summary: 'print the certificate of the root key for a repository, for "notary init --rootcert"',
    arguments: [REPOSITORY],
    options: [ROOT_KEY, { flags: '--renew', summary: 'make a new certificate' }, DAYS, ...TRUST_OPTION_SPECS],
    examples: ['touchstone trust root-cert registry.example/acme/app > root.pem'],
    load: async () => (await import('../commands/trust-root-cert.js')).trustRootCert,
  },
  {
    path: ['trust', 'online-keys'],
    summary: 'collect the keys beside the root, for a ceremony in which several people sign it',
    arguments: [
      { name: '<repository...>', summary: 'for example registry.example/acme/app; several in one file' },
    ],
    options: [
      { flags: '--client-snapshot', summary: 'the snapshot key is a leaf of yours, not one of the server' },
      {
        flags: '--role <role>',
        summary: 'only targets, snapshot or timestamp; may be repeated',
        kind: 'list',
      },
      {
        flags: '--rotate <role>',
        summary: 'timestamp or snapshot: a new key of the server, in the place of the one in force',
        kind: 'list',
      },
      { flags: '-o, --output <file>', summary: 'online-keys.json when left out' },
      ...TRUST_OPTION_SPECS,
    ],
    examples: [
      'touchstone trust online-keys registry.example/acme/app registry.example/acme/web -o online-keys.json',
      'touchstone trust online-keys registry.example/acme/app --role timestamp --rotate timestamp',
    ],
    load: async () => (await import('../commands/trust-online-keys.js')).trustOnlineKeys,
  },
  {
    path: ['trust', 'witness'],
    summary: 'sign roles again with what stands in them',
    arguments: [REPOSITORY, { name: '<role...>', summary: 'targets, or targets/NAME' }],
    options: [DAYS, ...TRUST_OPTION_SPECS],
    examples: ['touchstone trust witness registry.example/acme/app targets/releases'],
    load: async () => (await import('../commands/trust-witness.js')).trustWitness,
  },
  {
    path: ['trust', 'heal'],
    summary: 'renew what has expired, also where stock tools no longer can',
    arguments: [REPOSITORY],
    options: [
      { flags: '--within <time>', summary: 'also what expires within this time, for example 30d' },
      AS,
      CONFIRM,
      DAYS,
      ...TRUST_OPTION_SPECS,
    ],
    examples: ['touchstone trust heal registry.example/acme/app --within 30d'],
    load: async () => (await import('../commands/trust-heal.js')).trustHeal,
  },
  {
    path: ['trust', 'reset'],
    summary: 'drop a publish that was interrupted; without this, the next command ends it',
    arguments: [REPOSITORY],
    options: TRUST_OPTION_SPECS,
    examples: ['touchstone trust reset registry.example/acme/app'],
    load: async () => (await import('../commands/trust-reset.js')).trustReset,
  },
  {
    path: ['trust', 'delete'],
    summary: 'delete everything that the server has of a repository',
    arguments: [REPOSITORY],
    options: [{ flags: '--confirm <repository>', summary: 'the name once more' }, ...TRUST_OPTION_SPECS],
    examples: ['touchstone trust delete registry.example/acme/old --confirm registry.example/acme/old'],
    load: async () => (await import('../commands/trust-delete.js')).trustDelete,
  },
  {
    path: ['trust', 'key', 'rotate'],
    summary: 'give a role a new key: root, targets, snapshot, timestamp or targets/NAME',
    arguments: [REPOSITORY, { name: '<role>', summary: 'the role' }],
    options: [
      ROOT_KEY,
      { flags: '--threshold <number>', summary: 'root: how many keys have to sign from now on' },
      { flags: '--renew', summary: 'root: new certificates for the same keys' },
      { flags: '--server-snapshot', summary: 'snapshot: the server keeps the key from now on' },
      { flags: '--client-snapshot', summary: 'snapshot: the key is a leaf of yours from now on' },
      DAYS,
      ...TRUST_OPTION_SPECS,
    ],
    examples: [
      'touchstone trust key rotate registry.example/acme/app targets',
      'touchstone trust key rotate registry.example/acme/app root --root-key registry.example/acme/app#root:1',
    ],
    load: async () => (await import('../commands/trust-key-rotate.js')).trustKeyRotate,
  },
  {
    path: ['trust', 'key', 'purge'],
    summary: 'take one key out of every role that signers have it in: for a key that was lost',
    arguments: [
      {
        name: '<key-id>',
        summary: 'its id, or the first 12 digits, as "touchstone trust signer list" shows it',
      },
      REPOSITORIES,
    ],
    options: [
      AS,
      {
        flags: '--leave <role>',
        summary:
          'accept that this role, which nobody here signs for, goes on giving the key; may be repeated',
        kind: 'list',
      },
      DAYS,
      ...TRUST_OPTION_SPECS,
    ],
    examples: [
      'touchstone trust key purge 4f1b0c3d9a7e registry.example/acme/app registry.example/acme/base',
    ],
    load: async () => (await import('../commands/trust-key-purge.js')).trustKeyPurge,
  },
  {
    path: ['trust', 'import'],
    summary: 'take over a repository of notary or docker: root to the token, every other key a leaf',
    arguments: [REPOSITORY],
    options: [
      {
        flags: '--from <folder>',
        summary: 'trust folder with the old keys, for example ~/.docker/trust',
        required: true,
      },
      { flags: '--passphrase-file <file>', summary: 'passphrase of the old root key (mode 0600)' },
      { flags: '--passphrase-fd <number>', summary: 'read that passphrase from this open file descriptor' },
      ROOT_KEY,
      DAYS,
      ...TRUST_OPTION_SPECS,
    ],
    examples: ['touchstone trust import registry.example/acme/app --from ~/.docker/trust'],
    load: async () => (await import('../commands/trust-import.js')).trustImport,
  },
  {
    path: ['trust', 'signer', 'add'],
    summary: 'take in a signer: a role of the own name, and the right to release',
    arguments: [SIGNER, REPOSITORIES],
    options: [
      {
        flags: '--key <file>',
        summary: 'public key or certificate, PEM (default: a leaf of this agent); may be repeated',
        kind: 'list',
      },
      {
        flags: '--release-key <file>',
        summary: 'key that the signer releases with (default: that of --key); may be repeated',
        kind: 'list',
      },
      {
        flags: '--path <prefix>',
        summary: 'may sign only names that begin so, and releases nothing; may be repeated',
        kind: 'list',
      },
      DAYS,
      ...TRUST_OPTION_SPECS,
    ],
    examples: [
      'touchstone trust signer add alice registry.example/acme/app registry.example/acme/base',
      'touchstone trust signer add bob registry.example/acme/app --key bob.pub',
      'touchstone trust signer add docs registry.example/acme/tools --path docs/',
    ],
    load: async () => (await import('../commands/trust-signer-add.js')).trustSignerAdd,
  },
  {
    path: ['trust', 'signer', 'remove'],
    summary: 'let a signer go: role, keys, and the signature left on releases',
    arguments: [SIGNER, REPOSITORIES],
    options: [CONFIRM, DAYS, ...TRUST_OPTION_SPECS],
    examples: ['touchstone trust signer remove bob registry.example/acme/app'],
    load: async () => (await import('../commands/trust-signer-remove.js')).trustSignerRemove,
  },
  {
    path: ['trust', 'signer', 'list'],
    summary: 'show who signs for a repository',
    arguments: [REPOSITORY],
    options: TRUST_OPTION_SPECS,
    examples: ['touchstone trust signer list registry.example/acme/app'],
    load: async () => (await import('../commands/trust-signer-list.js')).trustSignerList,
  },
];
