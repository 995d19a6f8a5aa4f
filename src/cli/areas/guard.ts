/** Words of `guard`. */
import type { CommandSpec, OptionSpec } from '../command.js';
import { TRUST_OPTION_SPECS } from './trust-options.js';

/** Where a TUF repository is, or was: it has no trust server to ask. */
const FOLDER: OptionSpec = {
  flags: '--folder <folder>',
  summary: 'the folder of a TUF repository, which is looked at instead of a server',
};

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
      FOLDER,
      ...TRUST_OPTION_SPECS,
    ],
    examples: [
      "touchstone guard abandon 'docker.io/acme/app#targets'",
      "touchstone guard abandon 'docker.io/acme/app#targets' --version 7",
      "touchstone guard abandon 'acme.example/updates#root' --folder ./updates",
    ],
    load: async () => {
      const { guardAbandon } = await import('../commands/guard-abandon.js');
      const { storedSomewhere } = await import('../stored-in-folder.js');
      return guardAbandon(storedSomewhere);
    },
  },
  {
    path: ['guard', 'forget'],
    summary: 'forget all versions of a repository that its server has deleted, so that it may begin anew',
    arguments: [{ name: '<repository>', summary: 'the repository' }],
    options: [
      { flags: '--confirm <repository>', summary: 'the name, instead of typing it' },
      FOLDER,
      ...TRUST_OPTION_SPECS,
    ],
    examples: [
      'touchstone guard forget docker.io/acme/app',
      'touchstone guard forget registry.example/acme/old --confirm registry.example/acme/old',
      'touchstone guard forget acme.example/updates --folder ./updates',
    ],
    load: async () => (await import('../commands/guard-forget.js')).guardForget,
  },
];
