/** Words of `guard`. */
import type { CommandSpec } from '../command.js';
import { TRUST_OPTION_SPECS } from './trust-options.js';

export const GUARD_COMMANDS: readonly CommandSpec[] = [
  {
    path: ['guard', 'show'],
    summary: 'show which versions of repository metadata are signed and published',
    arguments: [{ name: '[repository]', summary: 'only this one' }],
    examples: ['touchstone guard show', 'touchstone guard show docker.io/acme/app'],
    load: async () => (await import('../commands/guard-show.js')).guardShow,
  },
  {
    path: ['guard', 'abandon'],
    summary: 'give up a version that was signed and that nobody stored, so that it may have another content',
    arguments: [{ name: '<name>', summary: 'REPOSITORY#ROLE' }],
    options: [
      { flags: '--version <number>', summary: 'the version, instead of typing it' },
      ...TRUST_OPTION_SPECS,
    ],
    examples: [
      "touchstone guard abandon 'docker.io/acme/app#targets'",
      "touchstone guard abandon 'docker.io/acme/app#targets' --version 7",
    ],
    load: async () => {
      const { guardAbandon } = await import('../commands/guard-abandon.js');
      const { storedOnServer } = await import('../stored-on-server.js');
      return guardAbandon(storedOnServer);
    },
  },
  {
    path: ['guard', 'forget'],
    summary: 'forget all versions of a repository that its server has deleted, so that it may begin anew',
    arguments: [{ name: '<repository>', summary: 'the repository' }],
    options: [
      { flags: '--confirm <repository>', summary: 'the name, instead of typing it' },
      ...TRUST_OPTION_SPECS,
    ],
    examples: [
      'touchstone guard forget docker.io/acme/app',
      'touchstone guard forget registry.example/acme/old --confirm registry.example/acme/old',
    ],
    load: async () => (await import('../commands/guard-forget.js')).guardForget,
  },
];
