/** Results go where a person points: a device or a pipe is written to, never replaced. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { lstatSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { writeOutput } from '../../src/cli/output-file.js';
import type { CliContext } from '../../src/cli/context.js';
import { writeFileAtomic } from '../../src/platform/store/atomic-file.js';
import { codeOf } from '../support/error-code.js';
import { TempFolder } from '../support/temp-folder.js';

const context = { flags: { json: false }, stdoutIsTerminal: false } as unknown as CliContext;

it('writes into a pipe that stands at the place', async () => {
  using folder = new TempFolder();
  const pipe = path.join(folder.path, 'pipe');
  execFileSync('mkfifo', [pipe]);
  const reader = spawn('cat', [pipe], { stdio: ['ignore', 'pipe', 'inherit'] });
  const read: Buffer[] = [];
  reader.stdout.on('data', (chunk: Buffer) => read.push(chunk));
  writeOutput(context, pipe, 'the result\n');
  await once(reader, 'close');
  expect(Buffer.concat(read).toString()).toBe('the result\n');
  expect(lstatSync(pipe).isFIFO()).toBe(true);
});

it('replaces a file, and a state file never takes the place of a pipe or folder', () => {
  using folder = new TempFolder();
  const file = path.join(folder.path, 'file');
  writeOutput(context, file, 'one');
  writeOutput(context, file, 'two');
  expect(readFileSync(file, 'utf8')).toBe('two');
  const pipe = path.join(folder.path, 'pipe');
  execFileSync('mkfifo', [pipe]);
  expect(
    codeOf(() => {
      writeFileAtomic(pipe, 'x');
    }),
  ).toBe('state.write');
  expect(lstatSync(pipe).isFIFO()).toBe(true);
});
