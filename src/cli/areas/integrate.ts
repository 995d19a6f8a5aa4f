/** Words of `integrate` and `git-key`: other programs, set up to sign through the agent. */
import type { CommandSpec } from '../command.js';

export const INTEGRATE_COMMANDS: readonly CommandSpec[] = [
  {
    path: ['integrate', 'git'],
    summary: 'have git sign commits and tags with a key of the agent; --undo gives back what was there',
    options: [
      { flags: '--global', summary: 'for this user (default: the repository of the current folder)' },
      { flags: '--local <dir>', summary: 'for the repository in this folder' },
      { flags: '--key <name>', summary: 'key to sign with (default: the only one with role ssh)' },
      {
        flags: '--principal <email>',
        summary: 'who the key belongs to, for verification (default: user.email)',
      },
      { flags: '--undo', summary: 'set everything back' },
      { flags: '--dry-run', summary: 'print what would be changed' },
    ],
    examples: ['touchstone integrate git --global --dry-run', 'touchstone integrate git --local . --undo'],
    load: async () => (await import('../commands/integrate-git.js')).integrateGit,
  },
  {
    path: ['integrate', 'pkcs11'],
    summary: 'have every program that uses p11-kit see the keys of the agent; needs [pkcs11] enabled',
    options: [
      { flags: '--system', summary: 'for all users, in /etc/pkcs11 (root needs this)' },
      { flags: '--undo', summary: 'remove what was written' },
      { flags: '--dry-run', summary: 'print what would be written' },
    ],
    examples: ['touchstone integrate pkcs11 --dry-run', 'touchstone integrate pkcs11 --undo'],
    load: async () => (await import('../commands/integrate-pkcs11.js')).integratePkcs11,
  },
  {
    path: ['integrate', 'openssl'],
    summary:
      "write an OpenSSL configuration with the agent's keys behind the pkcs11 engine; needs [pkcs11] enabled",
    options: [
      { flags: '--module <path>', summary: 'p11-kit-client.so (default: where distributions put it)' },
      { flags: '--undo', summary: 'remove what was written' },
      { flags: '--dry-run', summary: 'print what would be written' },
    ],
    examples: ['touchstone integrate openssl --dry-run', 'touchstone integrate openssl'],
    load: async () => (await import('../commands/integrate-openssl.js')).integrateOpenssl,
  },
  {
    path: ['integrate', 'cosign'],
    summary: 'install the plugin that lets cosign sign with --key touchstone://REPOSITORY',
    options: [
      { flags: '--dir <folder>', summary: 'folder on PATH (default ~/.local/bin)' },
      { flags: '--undo', summary: 'remove what was written' },
      { flags: '--dry-run', summary: 'print what would be written' },
    ],
    examples: ['touchstone integrate cosign --dry-run', 'touchstone integrate cosign --dir ~/bin'],
    load: async () => (await import('../commands/integrate-cosign.js')).integrateCosign,
  },
  {
    path: ['integrate', 'notation'],
    summary: 'install the plugin that lets notation sign with keys of the agent',
    options: [
      { flags: '--undo', summary: 'remove what was written' },
      { flags: '--dry-run', summary: 'print what would be written' },
    ],
    examples: ['touchstone integrate notation --dry-run', 'touchstone integrate notation'],
    load: async () => (await import('../commands/integrate-notation.js')).integrateNotation,
  },
];

export const GIT_KEY_COMMANDS: readonly CommandSpec[] = [
  {
    path: ['git-key'],
    summary: "print the signing key as git's gpg.ssh.defaultKeyCommand wants it",
    options: [{ flags: '--key <name>', summary: 'which key (default: the only one with role ssh)' }],
    examples: ['git config --global gpg.ssh.defaultKeyCommand "touchstone git-key"'],
    load: async () => (await import('../commands/git-key.js')).gitKey,
  },
];
