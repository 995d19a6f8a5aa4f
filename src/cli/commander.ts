/**
 * The one door to commander. Loaded with `require`, because `import` makes Node scan every CommonJS file for its exports first: that
 * alone costs a third of the start-up of a signing process.
 */
import type * as Commander from 'commander';
import { createRequire } from 'node:module';

const commander = createRequire(import.meta.url)('commander') as typeof Commander;

export const { Command, CommanderError, Option } = commander;
