/** What the kernel sees of a ceremony: no socket of the internet, in any thread, from the start of the program to its end. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { TODAY } from '../support/ceremony-dates.js';
import { initAction, prepared, signedAndClosed } from '../support/paper-ceremony.js';
import { PROJECT_ROOT } from '../support/project-root.js';
import { SoftwareHolder } from '../support/software-holder.js';
import { TempFolder } from '../support/temp-folder.js';

const PROGRAM = path.join(PROJECT_ROOT, 'dist/bin/touchstone.js');
const INTERNET = /AF_INET6?\b/;

let temp: TempFolder;
beforeEach(() => {
  temp = new TempFolder();
});
afterEach(() => {
  temp[Symbol.dispose]();
});

/** Runs Node under strace. @returns what it printed, and its calls of socket and connect in all threads, with how each thread ended */
function traced(...argv: readonly string[]): { readonly printed: string; readonly calls: string } {
  const log = temp.join('calls');
  const strace = ['-f', '-e', 'trace=socket,connect', '-o', log, process.execPath];
  const env = { PATH: process.env['PATH'], HOME: temp.path, XDG_RUNTIME_DIR: temp.path };
  const printed = execFileSync('strace', [...strace, ...argv], { env, encoding: 'utf8', timeout: 60_000 });
  return { printed, calls: readFileSync(log, 'utf8') };
}

it('sees a socket where there is one', () => {
  const script = "require('node:net').connect(1, '127.0.0.1').on('error', () => {})";
  expect(traced('-e', script).calls).toMatch(INTERNET);
});

it('sees none when a ceremony is opened, and none when it is verified', () => {
  const holders = ['alice', 'bob', 'carol'].map((name) => new SoftwareHolder(name));
  const action = initAction(holders, 2);
  const fresh = prepared(temp.join('fresh'), { action }, holders);
  const closed = prepared(temp.join('closed'), { action }, holders);
  signedAndClosed(closed, holders);
  for (const [said, ...argv] of [
    ['All checks are good.', 'open', fresh.path, '--today', TODAY, '--holder', 'alice'],
    ['Everything holds.', 'verify', closed.path],
  ] as const) {
    const { printed, calls } = traced(PROGRAM, 'ceremony', ...argv);
    expect(printed).toContain(said);
    expect(calls).toContain('+++ exited with 0 +++');
    expect(calls).not.toMatch(INTERNET);
  }
});
