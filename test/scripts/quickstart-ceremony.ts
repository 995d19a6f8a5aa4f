/**
 * `npm run quickstart -- ceremony`: two root ceremonies on this machine alone. Three holders make the first root, one loses her token, a
 * rehearsal, a rotation by two of three, and in the end three verifiers that share no code with us. Works in temporary folders; with
 * --keep they stay.
 */
import { execFile } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs, promisify } from 'node:util';
import type { DemoAgent } from '../support/demo-agent.js';
import { agentOver } from '../support/own-token-agent.js';
import { PROJECT_ROOT } from '../support/project-root.js';
import { SoftHsmStore } from '../support/softhsm-store.js';
import { TempFolder } from '../support/temp-folder.js';
import { dayFromNow } from '../support/ceremony-dates.js';
import { KeptParts } from '../support/kept-parts.js';
import { step } from '../support/told-step.js';
import { FileServer, TufClient } from '../support/tuf-client.js';

const HOLDERS = ['alice', 'bob', 'carol'] as const;
const REPOSITORY = 'acme.example/updates';
/** A rehearsal plays a whole ceremony. */
const PATIENCE_MS = 240_000;
const TODAY = dayFromNow(0);

/** What runs; all of it ends, whatever happens. */
const parts = new KeptParts();

/** The machine in the room: its agent, and one SoftHSM store for each token that somebody may bring. */
class Stage {
  readonly agent: DemoAgent;
  readonly folder: string;
  readonly #stores: ReadonlyMap<string, SoftHsmStore>;

  constructor(agent: DemoAgent, folder: string, stores: ReadonlyMap<string, SoftHsmStore>) {
    this.agent = agent;
    this.folder = folder;
    this.#stores = stores;
  }

  /** Somebody leaves the room with their token. @returns how they come back */
  sendOut(name: string): () => void {
    const tokens = this.#stores.get(name)?.tokens;
    if (tokens === undefined) throw new Error(`nobody has a token of ${name}`);
    const outside = `${tokens}.outside`;
    renameSync(tokens, outside);
    return () => {
      renameSync(outside, tokens);
    };
  }

  at(...names: readonly string[]): string {
    return path.join(this.folder, ...names);
  }

  run(...argv: readonly string[]): ReturnType<DemoAgent['touchstone']> {
    return this.agent.touchstone(argv, { cwd: this.folder, timeoutMs: PATIENCE_MS });
  }

  async must(...argv: readonly string[]): Promise<string> {
    const { status, stdout, stderr } = await this.run(...argv);
    if (status === 0) return stdout;
    throw new Error(`touchstone ${argv.join(' ')}: exit ${status}\n${stdout}\n${stderr}`);
  }

  /** As `must`, with the PIN of all these tokens. */
  mustEnter(...argv: readonly string[]): Promise<string> {
    return this.must(...argv, '--pin-file', this.agent.pinFile);
  }

  /** The same command, which has to be refused. @returns what it says */
  async refused(...argv: readonly string[]): Promise<string> {
    const { status, stdout, stderr } = await this.run(...argv);
    if (status === 0) throw new Error(`touchstone ${argv.join(' ')} was not refused\n${stdout}`);
    return stderr;
  }
}

async function setUp(folder: string): Promise<Stage> {
  return step(
    'made a room: an agent, and SoftHSM tokens of alice, bob, carol, dave and a stranger',
    async () => {
      const names = ['room', ...HOLDERS, 'dave', 'mallory'];
      const stores = new Map(names.map((name) => [name, parts.add(new SoftHsmStore(name))]));
      const agent = parts.add(await agentOver(...[...stores].map(([name, store]) => ({ name, store }))));
      await agent.start();
      const stage = new Stage(agent, folder, stores);
      await stage.mustEnter('token', 'setup', '--token', 'room');
      return stage;
    },
  );
}

async function enrol(stage: Stage, name: string, ceremony: string): Promise<void> {
  await stage.mustEnter('ceremony', 'enrol', name, '--ceremony', ceremony, '--token', name);
}

/** Prepares a ceremony. @returns the first two words of the request, which people compare aloud */
async function prepare(stage: Stage, ...argv: readonly string[]): Promise<string> {
  const made = await stage.must('ceremony', 'new', ...argv, '--expires', dayFromNow(365), '--json');
  const { requestWords } = JSON.parse(made) as { readonly requestWords: readonly string[] };
  return requestWords.slice(0, 2).join(' ');
}

/** Opens a folder, and confirms it as somebody who has read it. @returns what there was to read */
async function review(
  stage: Stage,
  folder: string,
  confirmed: string,
  ...holders: readonly string[]
): Promise<string> {
  const there = holders.flatMap((name) => ['--holder', name]);
  await stage.must('ceremony', 'open', folder, '--today', TODAY, ...there, '--witness', 'wendy');
  const text = await stage.must('ceremony', 'review', folder, '--show');
  await stage.must('ceremony', 'review', folder, '--confirm', confirmed);
  return text;
}

function sign(stage: Stage, folder: string, holder: string): Promise<string> {
  return stage.mustEnter('ceremony', 'sign', folder, '--holder', holder);
}

function lineWith(text: string, word: string): string {
  const line = text.split('\n').find((one) => one.includes(word));
  if (line === undefined) throw new Error(`nothing says "${word}":\n${text}`);
  return line.trim().replaceAll(/\s+/g, ' ');
}

async function firstRoot(stage: Stage): Promise<void> {
  await step(
    'enrolled alice, bob and carol: one PIN each, the key made on the token and proved',
    async () => {
      for (const name of HOLDERS) await enrol(stage, name, 'acme-root-1');
    },
  );
  const words = await step(
    'prepared the first root, 2 of 3, with derived keys for the rest',
    async () => {
      for (const role of ['targets', 'snapshot', 'timestamp']) {
        const key = `${REPOSITORY}#${role}`;
        await stage.must('key', 'derive', key);
        writeFileSync(stage.at(`${role}.pem`), await stage.must('key', 'export', key, '--format', 'pem'));
      }
      const online = ['targets', 'snapshot', 'timestamp'].flatMap((role) => [
        '--online',
        `${role}=${role}.pem`,
      ]);
      const enrolments = HOLDERS.flatMap((name) => ['--enrolment', `enrol-${name}.json`]);
      return prepare(
        stage,
        ...['init', ...enrolments, '--threshold', '2', '--name', REPOSITORY, ...online],
        ...['--reason', 'the first root', '--out', 'root-1'],
      );
    },
    (first) => `the request begins with "${first}"`,
  );
  await step(
    'opened, reviewed, signed by alice and carol, closed, sealed and replayed',
    async () => {
      await review(stage, 'root-1', `1 ${words}`, 'alice', 'carol');
      await sign(stage, 'root-1', 'alice');
      await sign(stage, 'root-1', 'carol');
      await stage.must('ceremony', 'close', 'root-1');
      await stage.mustEnter('ceremony', 'seal', 'root-1');
      return stage.must('ceremony', 'verify', 'root-1');
    },
    () => 'root v1',
  );
  await step(`began ${REPOSITORY} with it, and published a file`, async () => {
    await stage.must('tuf', 'init', 'updates', REPOSITORY, '--root', 'root-1/out/1.root.json');
    writeFileSync(stage.at('app.txt'), 'what clients download\n');
    await stage.must('tuf', 'add', 'updates', 'app.txt');
  });
}

async function rotation(stage: Stage): Promise<void> {
  const words = await step('carol lost her token: dave enrolled, and a rotation was prepared', async () => {
    await enrol(stage, 'dave', 'acme-root-2');
    return prepare(
      stage,
      ...['rotate', '--replace', 'carol=dave', '--enrolment', 'enrol-dave.json'],
      ...['--base', 'root-1/out/1.root.json', '--policy', 'root-1/out/policy.json'],
      ...['--previous', 'root-1/transcript.jsonl', '--reason', 'carol lost her token'],
      ...['--signer', 'alice', '--signer', 'bob', '--signer', 'dave', '--out', 'root-2'],
    );
  });
  await step(
    'rehearsed it with SoftHSM tokens named after the holders; nothing of that can verify',
    () => stage.must('ceremony', 'rehearse', 'root-2', '--out', 'rehearsal'),
    () => lineWith(readdirSync(stage.at('rehearsal', 'out')).join('\n'), 'REHEARSAL'),
  );
  await step(
    'opened and reviewed the real one',
    () => review(stage, 'root-2', `2 ${words}`, 'alice', 'bob'),
    (text) => lineWith(text, 'leaves'),
  );
  const comeBack = stage.sendOut('bob');
  await step(
    "a stranger's token in bob's place is not taken, and gets no PIN",
    () => stage.refused('ceremony', 'sign', 'root-2', '--holder', 'bob', '--pin-file', stage.agent.pinFile),
    (said) => lineWith(said, 'not there').replace('touchstone: error: ', ''),
  );
  comeBack();
  for (const holder of ['alice', 'bob']) {
    await step(
      `${holder} signed`,
      () => sign(stage, 'root-2', holder),
      (board) => ['by the keys of v1', 'by the keys of v2'].map((by) => lineWith(board, by)).join('; '),
    );
  }
  await step(
    'closed, sealed by alice and bob, replayed from its files alone, and published',
    async () => {
      await stage.must('ceremony', 'close', 'root-2');
      await stage.mustEnter('ceremony', 'seal', 'root-2', '--holder', 'alice', '--holder', 'bob');
      const said = await stage.must('ceremony', 'verify', 'root-2', '--html', 'root-2.html');
      await stage.must('ceremony', 'import', 'root-2', '--to', 'updates/metadata');
      return said;
    },
    (said) => lineWith(said, 'Everything holds'),
  );
}

async function secondOpinions(stage: Stage): Promise<void> {
  const metadata = stage.at('updates', 'metadata');
  const support = path.join(PROJECT_ROOT, 'test/support');
  const run = promisify(execFile);
  const timeout = 60_000;
  await step(
    'tuf-js walked from root v1 to v2 and downloaded the file',
    async () => {
      await using server = await FileServer.start(stage.at('updates'));
      mkdirSync(stage.at('client'));
      const client = new TufClient(
        server.url,
        readFileSync(stage.at('root-1/out/1.root.json')),
        stage.at('client'),
      );
      const text = await client.download('app.txt');
      if (client.rootVersion() !== 2) throw new Error(`tuf-js believes root v${client.rootVersion()}`);
      return text ?? '';
    },
    (text) => text.trim(),
  );
  await step(
    'securesystemslib agrees, from Python',
    () => run('/usr/bin/python3', [path.join(support, 'tuf-second-opinion.py'), metadata], { timeout }),
    ({ stdout }) => stdout.trim(),
  );
  await step(
    'jq and openssl agree, without any software for TUF',
    () => run('bash', [path.join(support, 'tuf-root-chain.sh'), metadata], { timeout }),
    ({ stdout }) => stdout.trim(),
  );
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { keep: { type: 'boolean', default: false } } });
  const begin = performance.now();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => void parts[Symbol.asyncDispose]().then(() => process.exit(130)));
  }
  const temp = new TempFolder();
  if (!values.keep) parts.add(temp);
  try {
    const stage = await setUp(temp.path);
    await firstRoot(stage);
    await rotation(stage);
    await secondOpinions(stage);
    const page = readFileSync(stage.at('root-2.html'));
    process.stdout.write(
      values.keep
        ? `the ceremonies are in ${temp.path}; the transcript as a page that prints is root-2.html\n`
        : `the transcript is a page of ${page.length} bytes that prints; --keep leaves it, and both ceremonies\n`,
    );
  } finally {
    await parts[Symbol.asyncDispose]();
  }
  process.stdout.write(`done in ${((performance.now() - begin) / 1000).toFixed(1)} s\n`);
}

try {
  await main();
} catch (failure) {
  process.stderr.write(`quickstart: ${failure instanceof Error ? failure.message : String(failure)}\n`);
  process.exitCode = 1;
}
