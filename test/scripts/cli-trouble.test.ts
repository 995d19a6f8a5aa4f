/** What a person sees when something is wrong: exit status, one line of what, one line of what to do. Word for word. */
import { readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AREAS } from '../../src/cli/areas.js';
import { ERROR_TABLE } from '../../src/errors/codes.js';
import { runProgram, TOUCHSTONE, type CommandResult, type DemoAgent } from '../support/demo-agent.js';
import { FaultyAgent } from '../support/faulty-agent.js';
import { agentOver } from '../support/own-token-agent.js';
import { PROJECT_ROOT } from '../support/project-root.js';
import { SoftHsmStore } from '../support/softhsm-store.js';
import { TempFolder } from '../support/temp-folder.js';

const KEY = 'touchstone/release#ssh';

/** [exit status, first line, hint] */
function told({ status, stderr }: CommandResult): readonly [number, string, string] {
  const [what = '', hint = ''] = stderr.split('\n');
  return [status, what.replace('touchstone: error: ', ''), hint.replace('hint: ', '')];
}

describe('with a token that comes and goes', () => {
  const store = new SoftHsmStore('release');
  let agent: DemoAgent;
  let input: TempFolder;

  beforeAll(async () => {
    input = new TempFolder();
    writeFileSync(input.join('file'), 'content\n');
    agent = await agentOver({ name: 'release', store });
    await agent.start();
    await agent.setUpToken();
    await agent.derive(KEY);
  });
  afterAll(async () => {
    await agent[Symbol.asyncDispose]();
    store[Symbol.dispose]();
    input[Symbol.dispose]();
  });

  function sign(key: string): Promise<CommandResult> {
    return agent.touchstone(['sign', 'file', '--key', key, '--output', '-', input.join('file')]);
  }

  it.each<[key: string, status: number, what: RegExp, hint: RegExp]>([
    ['touchstone/relaese#ssh', 2, /touchstone\/relaese#ssh/, /did you mean touchstone\/release#ssh/],
    ['touchstone/release', 2, /there is no #ROLE in it/, /REPOSITORY#ROLE/],
    ['touchstone/release#cosign', 2, /touchstone\/release#cosign/, /touchstone\/release#ssh|key list/],
    ['touchstone/release#ssh@2', 2, /@2/, /key list|touchstone\/release#ssh/],
    ['touchstone/release#ssh~rot13', 2, /algorithm/, /./],
    ['pkcs11:object=x?pin-value=1234', 2, /PIN must not stand in a key URI/, /pin-value/],
    ['touchstone/agent#audit', 3, /does not sign for clients|own records/, /key list/],
  ])('says what is wrong with the key %s', async (key, status, what, hint) => {
    const [exit, line, advice] = told(await sign(key));
    expect([exit, line]).toEqual([status, expect.stringMatching(what)]);
    expect(advice).toMatch(hint);
    expect(line + advice).not.toContain('1234');
  });

  it('says that a key is retired or revoked, and what to use instead', async () => {
    await agent.derive('acme/old#ssh');
    await agent.must(['key', 'rotate', 'acme/old#ssh']);
    const [status, what, hint] = told(await sign('acme/old#ssh@1'));
    expect([status, what]).toEqual([3, expect.stringContaining('acme/old#ssh')]);
    expect(what).toContain('retired');
    expect(hint).toMatch(/active epoch|@2/);
    await agent.must(['key', 'revoke', 'acme/old#ssh@1', '--reason', 'laptop stolen']);
    const revoked = told(await sign('acme/old#ssh@1'));
    expect(revoked[0]).toBe(3);
    expect(revoked[1]).toContain('revoked');
  });

  it('says that the token is gone, and how it is found again', async () => {
    await agent.must(['lock']);
    const safe = new TempFolder();
    const move = (from: string, to: string): void => {
      for (const name of readdirSync(from)) renameSync(path.join(from, name), path.join(to, name));
    };
    move(store.tokens, safe.path);
    try {
      const [status, what, hint] = told(await agent.touchstone(['unlock', '--pin-file', agent.pinFile]));
      expect([status, what]).toEqual([4, expect.stringMatching(/token.*release|release.*token/)]);
      expect(hint).toMatch(/insert it/);
      expect((await agent.must(['token', 'list'])).split('\n')[1]).toMatch(/^release +absent /);
      expect((await agent.touchstone(['doctor'])).stdout).toMatch(/^(fail|warn) +token release: .*absent/m);
    } finally {
      move(safe.path, store.tokens);
      safe[Symbol.dispose]();
    }
    await agent.unlock();
    expect((await sign(KEY)).status).toBe(0);
  });

  it('says that the driver is missing, and where it looked', async () => {
    await agent.stop();
    agent.configure((toml) => toml.replace('libsofthsm2.so', 'libsofthsm3.so'));
    await agent.start();
    const [status, what, hint] = told(await agent.touchstone(['unlock', '--pin-file', agent.pinFile]));
    expect([status, what]).toEqual([4, expect.stringContaining('/usr/lib/softhsm/libsofthsm3.so')]);
    expect(hint).toContain('touchstone.toml');
    const doctor = await agent.touchstone(['doctor']);
    expect(doctor.stdout).toMatch(
      /^fail +driver of release: \/usr\/lib\/softhsm\/libsofthsm3.so cannot be read/m,
    );
    expect(doctor.stdout).toContain('install the driver, or correct module of token "release"');
    await agent.stop();
    agent.configure((toml) => toml.replace('libsofthsm3.so', 'libsofthsm2.so'));
    await agent.start();
    await agent.unlock();
  });

  it('signs ten files with ten commands at once', async () => {
    const results = await Promise.all(Array.from({ length: 10 }, () => sign(KEY)));
    expect(results.map(({ status }) => status)).toEqual(Array.from({ length: 10 }, () => 0));
    for (const { stdout } of results) expect(stdout).toMatch(/^-----BEGIN SSH SIGNATURE-----/);
  });

  it('answers every question as one JSON document', async () => {
    const questions = [
      ['agent', 'status'],
      ['token', 'list'],
      ['token', 'show'],
      ['key', 'list', '--all'],
      ['key', 'show', KEY],
      ['key', 'export', KEY],
      ['audit', 'show'],
      ['audit', 'verify'],
      ['policy', 'check'],
      ['policy', 'explain', '--key', KEY, '--kind', 'sshsig:file'],
      ['doctor'],
      ['env'],
      ['config', 'show'],
      ['paths'],
      ['version'],
      ['sign', 'file', '--key', KEY, '--output', '-', input.join('file')],
      ['unlock', '--pin-file', agent.pinFile],
      ['key', 'derive', KEY],
      ['lock'],
      ['agent', 'stop'],
    ];
    for (const argv of questions) {
      const result = await agent.touchstone([...argv, '--json']);
      expect([argv, result.status]).toEqual([argv, 0]);
      expect(typeof JSON.parse(result.stdout)).toBe('object');
    }
    // And every refusal: without an agent most of them cannot be answered.
    for (const argv of questions) {
      const result = await agent.touchstone([...argv, '--json']);
      expect([argv, typeof JSON.parse(result.stdout)]).toEqual([argv, 'object']);
    }
  });
});

it('says how many tries are left, and stops before the last', async () => {
  await using agent = await new FaultyAgent().prepare();
  await agent.start();
  const wrong = (digit: string): Promise<CommandResult> =>
    agent.touchstone(['unlock', '--pin-file', agent.writePin('wrong', digit.repeat(6))]);
  const first = told(await wrong('1'));
  expect(first).toEqual([4, expect.stringContaining('PIN'), expect.stringMatching(/tr(y|ies)|PIN/)]);
  await wrong('2');
  const third = told(await wrong('3'));
  expect(third[0]).toBe(4);
  expect(third[1]).toMatch(/one try left/);
  expect(third[2]).toMatch(/--use-last-try \S+/);
  expect(agent.logins).toBe(2);
});

it('the manual names every exit status and every command', async () => {
  const page = readFileSync(path.join(PROJECT_ROOT, 'docs/man/touchstone.1'), 'utf8');
  const statuses = new Set<number>([0, ...Object.values(ERROR_TABLE).map(({ exit }) => exit)]);
  const documented = page.slice(page.indexOf('.Sh EXIT STATUS'));
  for (const status of statuses) expect(documented).toContain(`\n.It ${status}\n`);
  const named = [...page.matchAll(/^\.It Cm (.+)$/gm)].flatMap(([, words = '']) => words.split(' , '));
  const specs = (await Promise.all(AREAS.map((area) => area.load()))).flat();
  const commands = new Set(specs.map(({ path: words }) => words.join(' ')));
  expect([...commands].filter((command) => !named.includes(command))).toEqual([]);
  expect(named.filter((command) => !commands.has(command))).toEqual([]);
});

describe('an output that takes nothing', () => {
  /** Runs the words with one stream on a full disk. */
  function withFull(stream: 'stdout' | 'stderr', words: string): Promise<CommandResult> {
    const line = `exec "$0" "$1" ${words} ${stream === 'stdout' ? '1' : '2'}>/dev/full`;
    return runProgram('/bin/sh', ['-c', line, process.execPath, TOUCHSTONE]);
  }

  it.each(['version', 'version --json'])('%s: is an error, in words', async (words) => {
    expect(told(await withFull('stdout', words))).toEqual([
      1,
      'writing standard output: no space left',
      'free some space, or send it elsewhere',
    ]);
  });

  it('leaves the exit status, and the other stream', async () => {
    expect((await withFull('stdout', 'trust list nonsense --json')).stderr).toContain(
      'reading the repository',
    );
    const silent = await withFull('stderr', 'trust list nonsense --json');
    expect(silent).toMatchObject({ status: 2, stdout: expect.stringContaining('usage.invalid') as unknown });
  });
});
