/**
 * Makes the pictures of docs/ceremony: plays a rotation with SoftHSM tokens, typed at on a real terminal, and draws what it showed.
 * After a change of what `ceremony review` or `ceremony sign` says:
 * `npx tsc -b tsconfig.json test/tsconfig.programs.json && node test/build/scripts/ceremony-pictures.js`
 */
import { generateKeyPairSync } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { TOUCHSTONE, type DemoAgent } from '../support/demo-agent.js';
import { agentOver, type OwnToken } from '../support/own-token-agent.js';
import { PROJECT_ROOT } from '../support/project-root.js';
import { PIN, SoftHsmStore } from '../support/softhsm-store.js';
import { TempFolder } from '../support/temp-folder.js';
import { terminalPicture } from '../support/terminal-picture.js';
import { TerminalSession } from '../support/terminal-session.js';

const IMAGES = path.join(PROJECT_ROOT, 'docs/ceremony/images');
const HOLDERS = ['alice', 'bob', 'carol'] as const;
const ROLES = ['targets', 'snapshot', 'timestamp'] as const;
/** Ends the question for a PIN. */
const PROMPT = 'PIN';
const DAY_MS = 86_400_000;

function day(fromNow: number): string {
  return new Date(Date.now() + fromNow * DAY_MS).toISOString().slice(0, 10);
}

/** `touchstone …` in the folder of the ceremonies. */
type Run = (...argv: readonly string[]) => Promise<string>;

/** @returns the first two words of the request */
async function prepare(run: Run, days: number, ...argv: readonly string[]): Promise<string> {
  const made = await run('ceremony', 'new', ...argv, '--expires', day(days), '--json');
  const { requestWords } = JSON.parse(made) as { readonly requestWords: readonly string[] };
  return requestWords.slice(0, 2).join(' ');
}

async function open(run: Run, folder: string): Promise<void> {
  const there = ['--holder', 'alice', '--holder', 'bob', '--witness', 'wendy'];
  await run('ceremony', 'open', folder, '--today', day(0), ...there);
}

async function firstRoot(run: Run, folder: string, pin: readonly string[]): Promise<void> {
  for (const name of HOLDERS) {
    await run('ceremony', 'enrol', name, '--ceremony', 'acme-root-1', '--token', name, ...pin);
  }
  for (const role of ROLES) {
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    writeFileSync(path.join(folder, `${role}.pem`), publicKey.export({ type: 'spki', format: 'pem' }));
  }
  const words = await prepare(
    run,
    180,
    ...['init', '--threshold', '2', '--name', 'acme.example/updates', '--reason', 'first root'],
    ...HOLDERS.flatMap((name) => ['--enrolment', `enrol-${name}.json`]),
    ...ROLES.flatMap((role) => ['--online', `${role}=${role}.pem`]),
    ...['--out', 'root-1'],
  );
  await open(run, 'root-1');
  await run('ceremony', 'review', 'root-1', '--confirm', `1 ${words}`);
  await run('ceremony', 'sign', 'root-1', '--holder', 'alice', '--holder', 'bob', ...pin);
  await run('ceremony', 'close', 'root-1');
  await run('ceremony', 'seal', 'root-1', ...pin);
}

async function rotation(run: Run, pin: readonly string[]): Promise<string> {
  await run('ceremony', 'enrol', 'dave', '--ceremony', 'acme-root-2', '--token', 'dave', ...pin);
  const words = await prepare(
    run,
    365,
    ...['rotate', '--replace', 'carol=dave', '--enrolment', 'enrol-dave.json', '--reason', 'Carol leaves'],
    ...['--base', 'root-1/out/1.root.json', '--policy', 'root-1/out/policy.json'],
    ...['--previous', 'root-1/transcript.jsonl', '--out', 'root-2'],
    ...['--signer', 'alice', '--signer', 'bob', '--signer', 'dave'],
  );
  await open(run, 'root-2');
  return words;
}

/** Types a command and answers its prompts. @returns what the terminal showed, with the line that was typed */
async function typed(
  agent: DemoAgent,
  folder: string,
  line: string,
  ...answers: readonly (readonly [prompt: string, answer: string])[]
): Promise<string> {
  const command = `cd '${folder}' && '${process.execPath}' '${TOUCHSTONE}' ${line}`;
  await using terminal = new TerminalSession(command, agent.environment);
  for (const [at, [prompt, answer]] of answers.entries()) {
    const before = answers.slice(0, at).filter(([earlier]) => earlier === prompt).length;
    await terminal.waitFor(prompt, before + 1);
    terminal.type(`${answer}\r`);
  }
  const status = await terminal.ended();
  if (status !== 0) throw new Error(`touchstone ${line}: exit ${status}\n${terminal.shown}`);
  return `$ touchstone ${line}\n${terminal.shown}`;
}

function draw(name: string, title: string, shown: string): void {
  mkdirSync(IMAGES, { recursive: true });
  const file = path.join(IMAGES, name);
  writeFileSync(file, terminalPicture(title, shown));
  process.stdout.write(`${path.relative(PROJECT_ROOT, file)}\n`);
}

async function drawAll(tokens: readonly OwnToken[]): Promise<void> {
  using temp = new TempFolder();
  await using agent = await agentOver(...tokens);
  await agent.start();
  const pin = ['--pin-file', agent.pinFile];
  const run: Run = (...argv) => agent.must(argv, { cwd: temp.path });
  await run('token', 'setup', '--token', 'room', ...pin);
  await firstRoot(run, temp.path, pin);
  const words = await rotation(run, pin);
  const review = await typed(agent, temp.path, 'ceremony review root-2', ['To confirm', `2 ${words}`]);
  draw('review.svg', 'touchstone ceremony review: every change in a sentence, and the confirmation', review);
  const both = 'ceremony sign root-2 --holder alice --holder bob';
  const sign = await typed(agent, temp.path, both, [PROMPT, PIN], [PROMPT, PIN]);
  draw('board.svg', 'touchstone ceremony sign: two holders, and the board after each', sign);
}

const stores = ['room', ...HOLDERS, 'dave'].map((name) => ({ name, store: new SoftHsmStore(name) }));
try {
  await drawAll(stores);
} finally {
  for (const { store } of stores) store[Symbol.dispose]();
}
