/** A program that is killed in the middle of a ceremony: every signature made so far counts, and the result is the same. */
import { spawn } from 'node:child_process';
import { cpSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { closeCeremony } from '../../src/ceremony/closing.js';
import { isSignatureFile, signatureFile } from '../../src/ceremony/file-names.js';
import { writeForm } from '../../src/ceremony/one-form.js';
import { CeremonySession } from '../../src/ceremony/session.js';
import { verifyCeremony } from '../../src/ceremony/verifying.js';
import { initAction, openedSession, prepared } from '../support/paper-ceremony.js';
import { PROJECT_ROOT } from '../support/project-root.js';
import { SoftwareHolder } from '../support/software-holder.js';
import { TempFolder } from '../support/temp-folder.js';

const PROGRAM = path.join(PROJECT_ROOT, 'dist/bin/touchstone.js');
const POLL_MS = 1;
const PATIENCE_MS = 60_000;
let temp: TempFolder;

beforeEach(() => {
  temp = new TempFolder();
});
afterEach(() => {
  temp[Symbol.dispose]();
});

/** Adds files with the program, and kills it as soon as so many signatures are in the folder. */
async function addUntilKilled(folder: string, files: readonly string[], signatures: number): Promise<void> {
  const child = spawn(process.execPath, [PROGRAM, 'ceremony', 'add', folder, ...files], { stdio: 'ignore' });
  const ended = new Promise<void>((done) =>
    child.once('exit', () => {
      done();
    }),
  );
  const patience = Date.now() + PATIENCE_MS;
  while (child.exitCode === null && Date.now() < patience) {
    if (readdirSync(folder).filter(isSignatureFile).length >= signatures) break;
    await delay(POLL_MS);
  }
  child.kill('SIGKILL');
  await ended;
}

it('loses no signature to a kill, and ends with the same bytes', { timeout: 180_000 }, async () => {
  const holders = ['alice', 'bob', 'carol', 'dave'].map((name) => new SoftwareHolder(name));
  const { path: room } = prepared(temp.join('room'), { action: initAction(holders, 3) }, holders);
  const session = openedSession(room);
  const files = holders.map((holder) => {
    const [file] = holder.signatures(session.facts);
    if (file === undefined) throw new Error('no signature');
    const place = temp.join(signatureFile(file, false));
    writeFileSync(place, writeForm(file));
    return { place, file };
  });
  session[Symbol.dispose]();
  const undisturbed = temp.join('undisturbed');
  cpSync(room, undisturbed, { recursive: true });

  const places = files.map(({ place }) => place);
  for (const count of [1, 2, 3, 4]) {
    await addUntilKilled(room, places, count);
    using again = CeremonySession.open(room);
    const there = readdirSync(room).filter(isSignatureFile);
    expect(there.length).toBeGreaterThanOrEqual(count);
    expect(again.facts.signatures).toHaveLength(there.length);
    const said = again.transcript.lines.flatMap(({ event }) =>
      event.event === 'signed' ? [event.file] : [],
    );
    expect(said.sort()).toEqual(there.sort());
  }
  const results = [room, undisturbed].map((folder) => {
    using last = CeremonySession.open(folder);
    for (const { file } of files) last.take(file, 'added');
    closeCeremony(last, false);
    const { checks } = verifyCeremony(last.folder);
    expect(checks.filter(({ passed }) => !passed)).toEqual([]);
    return last.folder.require('out/1.root.json').toString();
  });
  expect(results[0]).toBe(results[1]);
});
