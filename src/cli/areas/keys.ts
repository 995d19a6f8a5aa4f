/** Words of `token` and `key`. */
import type { CommandSpec } from '../command.js';
import { PIN_OPTIONS } from './pin-options.js';

const KEY_ARGUMENT = {
  name: '<key>',
  summary: 'REPOSITORY#ROLE[@EPOCH][~ALGORITHM][:INDEX], or a key URI',
} as const;

export const KEY_COMMANDS: readonly CommandSpec[] = [
  {
    path: ['token', 'list'],
    summary: 'list configured tokens and their state',
    options: [
      {
        flags: '--watch',
        summary: 'then a line for each insertion, removal, lease and touch, until the agent stops',
      },
    ],
    examples: ['touchstone token list', 'touchstone token list --json', 'touchstone token list --watch'],
    load: async () => (await import('../commands/token-list.js')).tokenList,
  },
  {
    path: ['token', 'show'],
    summary: 'show one token',
    arguments: [{ name: '[name]', summary: 'name in touchstone.toml; needed when there are several' }],
    examples: ['touchstone token show', 'touchstone token show release --json'],
    load: async () => (await import('../commands/token-show.js')).tokenShow,
  },
  {
    path: ['token', 'setup'],
    summary: 'make the root and the derivation key on a token or on two, and the keyring',
    options: [
      {
        flags: '--token <name>',
        summary: 'token in touchstone.toml that derives; needed when there are several',
      },
      { flags: '--root-token <name>', summary: 'the token for the root, when it is another one' },
      { flags: '--otp', summary: 'derive with the OTP slot of a YubiKey and a passphrase; writes the slot' },
      { flags: '--plan', summary: 'for a card and for --otp: say what would be done, and do nothing' },
      {
        flags: '--confirm <serial>',
        summary:
          'where something would be lost: the serial number that is asked for at the terminal otherwise',
      },
      { flags: '--backend <kind>', summary: 'how keys are derived: ec or hmac (default ec)' },
      { flags: '--adopt', summary: 'take the keys that are already there, on a spare or restored token' },
      { flags: '--root-touch <policy>', summary: 'of a card: always or cached (default always)' },
      {
        flags: '--derivation-touch <policy>',
        summary: 'of a card: always, cached or never (default cached)',
      },
      {
        flags: '--without-touch <words>',
        summary:
          'for a derivation key that works without one: "any program can derive", asked for at the terminal otherwise',
      },
      { flags: '--for <time>', summary: 'how long the lease that begins lasts, for example 8h' },
      ...PIN_OPTIONS,
      { flags: '--root-pin-file <file>', summary: 'like --pin-file, for the PIN of --root-token' },
      { flags: '--root-pin-fd <number>', summary: 'like --pin-fd, for the PIN of --root-token' },
      {
        flags: '--puk-file <file>',
        summary: 'like --pin-file, for the new PUK of a card that has the one of the factory',
      },
      { flags: '--puk-fd <number>', summary: 'like --pin-fd, for that PUK' },
    ],
    examples: [
      'touchstone token setup',
      'touchstone token setup --backend hmac --pin-file /run/secrets/pin',
      'touchstone token setup --token yubikey --plan',
      'touchstone token setup --token yubikey --pin-file pin --puk-file puk',
      'touchstone token setup --otp --token slot --root-token release --plan',
    ],
    load: async () => (await import('../commands/token-setup.js')).tokenSetup,
  },
  {
    path: ['key', 'list'],
    summary: 'list keys',
    options: [
      { flags: '--all', summary: 'retired and revoked keys too' },
      { flags: '--repository <repository>', summary: 'only the keys of this one' },
      { flags: '--role <role>', summary: 'only the keys of this role' },
    ],
    examples: ['touchstone key list', 'touchstone key list --repository docker.io/acme/app --all --json'],
    load: async () => (await import('../commands/key-list.js')).keyList,
  },
  {
    path: ['key', 'show'],
    summary: 'show one key',
    arguments: [KEY_ARGUMENT],
    examples: ['touchstone key show touchstone/release#ssh'],
    load: async () => (await import('../commands/key-show.js')).keyShow,
  },
  {
    path: ['key', 'derive'],
    summary: 'derive a repository key from the unlocked token; doing it again gives the same key',
    arguments: [KEY_ARGUMENT],
    examples: [
      'touchstone key derive docker.io/library/hello#cosign',
      'touchstone key derive touchstone/release#ssh~ed25519',
    ],
    load: async () => (await import('../commands/key-derive.js')).keyDerive,
  },
  {
    path: ['key', 'create'],
    summary: 'make a key on a token that it never leaves; also for algorithms that are not derived',
    arguments: [KEY_ARGUMENT],
    options: [
      { flags: '--token <name>', summary: 'token in touchstone.toml', required: true },
      {
        flags: '--algorithm <name>',
        summary: 'ecdsa-p256, ed25519, ecdsa-p384 or rsa-3072 (default ecdsa-p256)',
      },
      ...PIN_OPTIONS,
    ],
    examples: ['touchstone key create team/app#ssh --token release --algorithm rsa-3072'],
    load: async () => (await import('../commands/key-create.js')).keyCreate,
  },
  {
    path: ['key', 'adopt'],
    summary: 'record a root key that is on a token already; it is found by its public key and takes no PIN',
    arguments: [
      { ...KEY_ARGUMENT, summary: 'REPOSITORY#root:INDEX, with an index from 1 on, or REPOSITORY#targets' },
    ],
    options: [
      { flags: '--token <name>', summary: 'token in touchstone.toml', required: true },
      { flags: '--public-key <file>', summary: 'its public key, PEM; - is standard input', required: true },
    ],
    examples: ['touchstone key adopt acme/tuf#root:1 --token alice --public-key alice.pem'],
    load: async () => (await import('../commands/key-adopt.js')).keyAdopt,
  },
  {
    path: ['key', 'rotate'],
    summary: 'move on to the next epoch; the old key is kept as retired',
    arguments: [KEY_ARGUMENT],
    examples: ['touchstone key rotate touchstone/release#ssh'],
    load: async () => (await import('../commands/key-rotate.js')).keyRotate,
  },
  {
    path: ['key', 'revoke'],
    summary: 'mark a key as revoked; it never signs again',
    arguments: [KEY_ARGUMENT],
    options: [{ flags: '--reason <text>', summary: 'why, for the record', required: true }],
    examples: ['touchstone key revoke touchstone/release#ssh@1 --reason "laptop stolen"'],
    load: async () => (await import('../commands/key-revoke.js')).keyRevoke,
  },
  {
    path: ['key', 'install'],
    summary: 'put a key into a second token, from which it cannot be read',
    arguments: [KEY_ARGUMENT],
    options: [
      { flags: '--token <name>', summary: 'token in touchstone.toml that receives the key', required: true },
      ...PIN_OPTIONS,
    ],
    examples: ['touchstone key install touchstone/release#ssh --token buildhost'],
    load: async () => (await import('../commands/key-install.js')).keyInstall,
  },
  {
    path: ['key', 'certificate', 'add'],
    summary: 'take certificates of keys, or revocations, that the root keys have signed',
    arguments: [{ name: '<file...>', summary: 'DSSE envelopes, oldest first' }],
    examples: ['touchstone key certificate add app-targets.certificate.json'],
    load: async () => (await import('../commands/key-certificate-add.js')).keyCertificateAdd,
  },
  {
    path: ['key', 'certificate', 'show'],
    summary: 'show the certificates of one key, or of all',
    arguments: [{ ...KEY_ARGUMENT, name: '[key]' }],
    examples: [
      'touchstone key certificate show',
      'touchstone key certificate show docker.io/acme/app#targets --json',
    ],
    load: async () => (await import('../commands/key-certificate-show.js')).keyCertificateShow,
  },
  {
    path: ['key', 'export'],
    summary: 'print the public key',
    arguments: [KEY_ARGUMENT],
    options: [
      { flags: '--format <form>', summary: 'pem, ssh, jwk or der (default pem)' },
      { flags: '-o, --output <file>', summary: 'write to this file; - is standard output' },
    ],
    examples: [
      'touchstone key export docker.io/library/hello#cosign',
      'touchstone key export touchstone/release#ssh --format ssh -o release.pub',
    ],
    load: async () => (await import('../commands/key-export.js')).keyExport,
  },
];
