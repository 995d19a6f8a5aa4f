/** Words of `init`, `doctor`, `env`, `config`, `paths` and `version`. */
import type { CommandSpec } from '../command.js';

export const SYSTEM_COMMANDS: readonly CommandSpec[] = [
  {
    path: ['init'],
    summary: 'write touchstone.toml and policy.toml; never overwrites',
    options: [
      { flags: '--softhsm', summary: 'use a private SoftHSM token in the state folder' },
      { flags: '--yubikey <serial>', summary: 'the PIV applet of a YubiKey; the number is printed on it' },
      { flags: '--module <path>', summary: 'PKCS#11 module of the token' },
      { flags: '--token <uri>', summary: 'RFC 7512 URI of the token, for example pkcs11:token=release' },
      { flags: '--name <name>', summary: 'what the token is called in the configuration (default release)' },
      {
        flags: '--domain <domain>',
        summary: 'trust domain; every key is derived for it (default: name of this host)',
      },
      {
        flags: '--on-removal <action>',
        summary: 'keep or lock loaded keys when the token is removed (default keep)',
      },
      { flags: '--pin-file <file>', summary: 'the agent itself reads the PIN from this file (mode 0600)' },
      { flags: '--dry-run', summary: 'print what would be written' },
    ],
    examples: [
      'touchstone init --softhsm --domain acme.example',
      'touchstone init --yubikey 12345678 --domain acme.example',
      'touchstone init --module /usr/lib/softhsm/libsofthsm2.so --token "pkcs11:token=release" --domain acme.example',
    ],
    load: async () => (await import('../commands/init.js')).init,
  },
  {
    path: ['doctor'],
    summary: 'look for problems and say how to fix each',
    examples: ['touchstone doctor', 'touchstone doctor --json'],
    load: async () => (await import('../commands/doctor.js')).doctor,
  },
  {
    path: ['env'],
    summary: 'print the environment that programs need, for eval',
    options: [
      { flags: '-c, --csh', summary: 'for csh' },
      { flags: '--fish', summary: 'for fish' },
      { flags: '--print-socket', summary: 'only the path' },
    ],
    examples: ['eval "$(touchstone env)"', 'touchstone env --fish | source'],
    load: async () => (await import('../commands/env.js')).env,
  },
  {
    path: ['config', 'show'],
    summary: 'show the configuration in force',
    options: [{ flags: '--origin', summary: 'also where each value comes from' }],
    examples: ['touchstone config show', 'touchstone config show --origin --json'],
    load: async () => (await import('../commands/config-show.js')).configShow,
  },
  {
    path: ['paths'],
    summary: 'show where configuration, state and socket are, and why there',
    examples: ['touchstone paths', 'touchstone paths --json'],
    load: async () => (await import('../commands/paths.js')).paths,
  },
  {
    path: ['version'],
    summary: 'show the versions of program and protocol',
    examples: ['touchstone version', 'touchstone version --json'],
    load: async () => (await import('../commands/version.js')).version,
  },
];
