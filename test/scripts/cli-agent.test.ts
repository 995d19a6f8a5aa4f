/** Transcripts: configuration, the life of an agent, unlocking, looking at records; and what is said when something is wrong. */
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { AREAS } from '../../src/cli/areas.js';
import { DemoAgent, startDemoAgent, type CommandResult } from '../support/demo-agent.js';

const KEY = 'touchstone/release#ssh';

function firstLine(result: CommandResult): string {
  return result.stderr.split('\n')[0] ?? '';
}

function document(result: CommandResult): Readonly<Record<string, unknown>> {
  return JSON.parse(result.stdout) as Readonly<Record<string, unknown>>;
}

describe('before there is an agent', () => {
  let demo: DemoAgent;
  beforeEach(() => {
    demo = new DemoAgent();
  });
  afterEach(async () => {
    await demo[Symbol.asyncDispose]();
  });

  it('init writes private files once and never again', async () => {
    const dry = await demo.touchstone(['init', '--softhsm', '--domain', 'acme.example', '--dry-run']);
    expect([dry.status, existsSync(demo.configFile), existsSync(demo.stateDir)]).toEqual([0, false, false]);
    expect(dry.stdout).toContain('domain = "acme.example"');
    await demo.init('acme.example');
    expect([demo.configFile, demo.policyFile].map((file) => statSync(file).mode & 0o777)).toEqual([
      0o600, 0o600,
    ]);
    expect(
      [path.dirname(demo.configFile), demo.stateDir].map((folder) => statSync(folder).mode & 0o777),
    ).toEqual([0o700, 0o700]);
    const before = demo.configuration();
    const again = await demo.touchstone(['init', '--softhsm', '--domain', 'other.example']);
    expect([again.status, demo.configuration()]).toEqual([2, before]);
  });

  it.each([
    [[], 'no token was named'],
    [['--softhsm', '--token', 'pkcs11:token=x'], 'only one can be used'],
    [['--yubikey', '12345678', '--softhsm'], 'do not go with it'],
    [['--yubikey', '4294967296'], 'a whole number'],
    [['--softhsm', '--domain', 'Not A Domain'], 'not a trust domain'],
    [['--module', 'relative.so', '--token', 'pkcs11:token=x', '--domain', 'a'], 'not an absolute path'],
    [['--module', '/m.so', '--token', 'token=x', '--domain', 'a'], 'does not begin with pkcs11:'],
    [
      ['--module', '/m.so', '--token', 'pkcs11:token=x?pin-value=1234', '--domain', 'a'],
      'a PIN must not stand in a key URI',
    ],
    [['--softhsm', '--on-removal', 'burn', '--domain', 'a'], 'one of keep, lock is needed'],
  ])('init %j says: %s', async (argv, words) => {
    const result = await demo.touchstone(['init', ...argv]);
    expect(result.status).toBe(2);
    expect(firstLine(result)).toContain(words);
    expect([existsSync(demo.configFile), existsSync(demo.stateDir)]).toEqual([false, false]);
  });

  it('init writes what a YubiKey needs', async () => {
    const dry = await demo.touchstone([
      'init',
      '--yubikey',
      '12345678',
      '--domain',
      'acme.example',
      '--dry-run',
    ]);
    expect(dry.stdout).toMatch(/^kind = "yubikey-piv"\nserial = 12345678\non-removal/m);
    expect(dry.stdout).not.toContain('uri = ');
  });

  it('everything that needs an agent says how to start one', async () => {
    for (const argv of [
      ['agent', 'status'],
      ['key', 'list'],
      ['unlock'],
      ['lock'],
      ['token', 'list'],
      ['audit', 'show'],
    ]) {
      const result = await demo.touchstone(argv);
      expect([argv, result.status]).toEqual([argv, 5]);
      expect(result.stderr).toBe(
        `touchstone: error: no agent answers on ${demo.socket}: there is no socket\nhint: start it with "touchstone agent start"\n`,
      );
    }
    const stop = await demo.touchstone(['agent', 'stop', '--json']);
    expect([stop.status, document(stop)]).toEqual([0, { stopped: false, socket: demo.socket }]);
  });

  it('an agent without configuration does not start, and says why', async () => {
    const result = await demo.touchstone(['agent', 'start', '--allow-root']);
    expect(result.status).toBe(1);
    expect(result.stderr).toContain('run "touchstone init"');
  });

  it('errors are one document with --json', async () => {
    const result = await demo.touchstone(['key', 'list', '--json']);
    expect(document(result)).toMatchObject({
      error: { code: 'agent.unreachable', retry: 'after-user-action' },
    });
    expect(result.status).toBe(5);
  });

  it('doctor finds what is wrong and how to fix it', async () => {
    await demo.init();
    const healthy = await demo.touchstone(['doctor', '--json']);
    expect([healthy.status, document(healthy)['ok']]).toEqual([0, true]);
    chmodSync(demo.stateDir, 0o755);
    chmodSync(demo.policyFile, 0o666);
    writeFileSync(demo.policyFile, 'version = 1\n[[rule]]\nid = 7\n');
    demo.configure((toml) => toml.replace(/module = ".*"/, 'module = "/not/there.so"'));
    const ill = await demo.touchstone(['doctor']);
    expect(ill.status).toBe(1);
    for (const fix of [
      `chmod 700 ${demo.stateDir}`,
      `chmod go-w ${demo.policyFile}`,
      'correct module of token "release"',
      'touchstone policy check',
    ]) {
      expect(ill.stdout).toContain(fix);
    }
  });

  it('policy check names file, line and column', async () => {
    await demo.init();
    expect((await demo.touchstone(['policy', 'check'])).stdout).toMatch(/good: .+policy\.toml, \d+ rules/);
    const file = path.join(demo.folder, 'bad.toml');
    writeFileSync(
      file,
      'version = 1\n\n[[rule]]\nid = "a"\nkinds = "sshsig:file"\nkeys = ["*"]\nallow = true\n',
    );
    const bad = await demo.touchstone(['policy', 'check', file, '--json']);
    expect(bad.status).toBe(2);
    expect(document(bad)).toMatchObject({ error: { code: 'policy.invalid', details: { line: 5 } } });
    expect((await demo.touchstone(['policy', 'check', '/not/there'])).status).toBe(1);
  });

  it('paths, env and config show agree on the socket', async () => {
    await demo.init();
    const paths = document(await demo.touchstone(['paths', '--json']));
    expect(paths).toMatchObject({ socket: demo.socket, origins: { socket: 'TOUCHSTONE_SOCK' } });
    const run = (...argv: readonly string[]): Promise<string> => demo.must(argv);
    expect(await run('env', '--print-socket')).toBe(`${demo.socket}\n`);
    expect(document(await demo.touchstone(['env', '--json']))).toMatchObject({
      TOUCHSTONE_SOCK: demo.socket,
    });
    expect(await run('env', '-c')).toContain(`setenv TOUCHSTONE_SOCK ${demo.socket};\n`);
    expect(await run('env', '--fish')).toContain(`set -gx TOUCHSTONE_SOCK '${demo.socket}'`);
    expect(await run('config', 'show', '--origin')).toMatch(
      new RegExp(`socket +"${demo.socket}" +TOUCHSTONE_SOCK`),
    );
    expect(await run('--socket', '/other/s', 'env', '--print-socket')).toBe('/other/s\n');
    const odd = await demo.touchstone(['env', '--socket', "/a b/it's"], {
      environment: { ...demo.environment, SHELL: '/bin/sh' },
    });
    expect(odd.stdout).toContain("TOUCHSTONE_SOCK='/a b/it'\\''s'; export TOUCHSTONE_SOCK;\n");
  });

  it('the socket of touchstone.toml is found without any variable', async () => {
    await demo.init();
    demo.configure((toml) => toml.replace('version = 1', 'version = 1\nsocket = "/configured/agent.sock"'));
    const environment = { ...demo.environment, TOUCHSTONE_SOCK: '' };
    expect((await demo.touchstone(['env', '--print-socket'], { environment })).stdout).toBe(
      '/configured/agent.sock\n',
    );
  });

  it.each([
    [['--socket', 'relative', 'paths'], 'not an absolute path'],
    [['--socket', `/${'x'.repeat(120)}`, 'paths'], 'bytes'],
    [['--timeout', 'soon', 'paths'], '--timeout'],
    [['paths', '--nope'], 'unknown option "--nope"'],
    [['pahts'], 'unknown command "pahts"'],
    [['key', 'lst'], 'unknown command "lst"'],
    [['key'], 'a command is needed'],
    [['key', 'show'], 'missing required argument'],
    [['paths', 'extra'], 'too many arguments'],
  ])('%j is wrong usage: %s', async (argv, words) => {
    const result = await demo.touchstone(argv);
    expect([result.status, result.stdout]).toEqual([2, '']);
    expect(result.stderr).toContain('touchstone: error: ');
    expect(result.stderr).toContain(words);
    expect(result.stderr).toMatch(/hint: .+\n$/);
  });

  it('suggests what was probably meant', async () => {
    expect((await demo.touchstone(['pahts'])).stderr).toContain('did you mean paths?');
  });
});

it('every command has a help page that begins with examples', async () => {
  await using demo = new DemoAgent();
  const specs = (await Promise.all(AREAS.map((area) => area.load()))).flat();
  const commands = [...new Set(specs.map((spec) => spec.path.join(' ')))];
  expect(commands.length).toBeGreaterThan(30);
  const pages = await Promise.all(
    commands.map((command) => demo.touchstone([...command.split(' '), '--help'])),
  );
  for (const [index, page] of pages.entries()) {
    expect([commands[index], page.status, page.stdout.startsWith('Examples:\n  ')]).toEqual([
      commands[index],
      0,
      true,
    ]);
    expect(page.stdout).toContain('--json');
  }
});

describe('with an agent', () => {
  let agent: DemoAgent;
  beforeAll(async () => {
    agent = await startDemoAgent();
    await agent.derive(KEY);
    writeFileSync(path.join(agent.folder, 'file'), 'content\n');
  });
  afterAll(async () => {
    await agent[Symbol.asyncDispose]();
  });

  function sign(): Promise<CommandResult> {
    return agent.touchstone(['sign', 'file', '--key', KEY, path.join(agent.folder, 'file')]);
  }

  it('a second start finds the first', async () => {
    const pid = await agent.pid();
    const second = await agent.touchstone(['agent', 'start', '--allow-root', '--json']);
    expect(document(second)).toEqual({ pid, socket: agent.socket, started: false });
    const run = await agent.touchstone(['agent', 'run', '--allow-root']);
    expect([run.status, firstLine(run).includes('already')]).toEqual([1, true]);
  });

  it('ten clients at once are all served', async () => {
    const results = await Promise.all(
      Array.from({ length: 10 }, () => agent.touchstone(['key', 'show', KEY, '--json'])),
    );
    expect(results.map(({ status }) => status)).toEqual(Array.from({ length: 10 }, () => 0));
    expect(new Set(results.map(({ stdout }) => stdout)).size).toBe(1);
  });

  it('lock and unlock: a locked key says what to do, a wrong PIN costs one try', async () => {
    expect((await sign()).status).toBe(0);
    expect((await agent.touchstone(['lock'])).stdout).toBe('locked: 1 lease ended\n');
    const locked = await sign();
    expect([locked.status, locked.stderr.includes('touchstone unlock')]).toEqual([4, true]);
    const wrong = await agent.touchstone(['unlock', '--pin-file', agent.writePin('wrong', '00000000')]);
    expect([wrong.status, firstLine(wrong)]).toEqual([4, expect.stringContaining('PIN')]);
    const again = await agent.touchstone([
      'unlock',
      '--pin-file',
      agent.writePin('wrong', '00000000'),
      '--json',
    ]);
    expect(document(again)).toMatchObject({ error: { code: 'token.pin-known-wrong' } });
    await agent.unlock(['--for', '1h', '--key', KEY, '--kind', 'sshsig:*', '--uses', '1']);
    expect((await sign()).status).toBe(0);
    expect((await sign()).status).toBe(4);
    await agent.unlock();
    expect((await sign()).status).toBe(0);
  });

  it('shows and explains', async () => {
    expect((await agent.must(['key', 'list'])).split('\n')[0]).toMatch(
      /^KEY +USAGE +ALGORITHM +STATE +LOADED +ID$/,
    );
    expect(await agent.must(['token', 'list'])).toMatch(
      /^TOKEN +STATE.*\nrelease +unlocked +release +[0-9a-f]+ +full/,
    );
    expect(await agent.must(['token', 'show'])).toContain('state:        unlocked');
    expect((await agent.touchstone(['token', 'show', 'nope'])).stderr).toContain('choose one of: release');
    expect(await agent.must(['agent', 'status'])).toContain('demo.example');
    expect(await agent.must(['policy', 'explain', '--key', KEY, '--kind', 'sshsig:file'])).toContain(
      'allow: rule "owner-files"',
    );
    expect(
      await agent.must(['policy', 'explain', '--key', KEY, '--kind', 'sshsig:file', '--uid', '4242']),
    ).toMatch(/^deny: no rule/);
    expect((await agent.touchstone(['doctor'])).status).toBe(0);
    expect(await agent.must(['audit', 'show', '--outcome', 'signed', '--key', KEY, '--limit', '1'])).toMatch(
      /^\d+ .*sign .*SSH signature/,
    );
  });

  it.each([
    [['key', 'show', 'touchstone/relaese#ssh'], 2],
    [['key', 'derive', 'Touchstone#ssh'], 2],
    [['key', 'derive', 'touchstone/x#unknown-role'], 2],
    [['key', 'revoke', 'touchstone/release#ssh'], 2],
    [['key', 'install', KEY, '--token', 'nope', '--pin-file', '/nowhere'], 2],
    [['token', 'setup', '--backend', 'otp'], 2],
    [['audit', 'show', '--limit', '0'], 2],
    [['unlock', '--for', 'ever'], 2],
    [['unlock', '--token', 'nope'], 2],
  ])('%j ends with status %i', async (argv, status) => {
    const result = await agent.touchstone(argv);
    expect([result.status, result.stderr.startsWith('touchstone: error: ')]).toEqual([status, true]);
  });

  it('audit verify sees a changed line, and works on a copy with a key file', async () => {
    expect((await agent.touchstone(['audit', 'verify'])).stdout).toMatch(/^audit log: +good/);
    const audit = path.join(agent.stateDir, 'audit');
    const copy = path.join(agent.folder, 'copy');
    mkdirSync(copy);
    const [name = ''] = readdirSync(audit);
    const text = readFileSync(path.join(audit, name), 'utf8');
    const keyFile = path.join(agent.folder, 'audit.pem');
    await agent.must(['key', 'export', 'touchstone/agent#audit', '-o', keyFile]);
    const verify = ['audit', 'verify', '--dir', copy, '--key-file', keyFile];
    writeFileSync(path.join(copy, name), text);
    expect((await agent.touchstone(verify)).status).toBe(0);
    writeFileSync(path.join(copy, name), text.replace('"act":"setup"', '"act":"setuq"'));
    const changed = await agent.touchstone(verify);
    expect([changed.status, changed.stdout.includes(`problem: ${name}:`)]).toEqual([6, true]);
    writeFileSync(path.join(copy, name), text);
    appendFileSync(path.join(copy, name), '{"half a line');
    expect((await agent.touchstone([...verify, '--json'])).stdout).toContain('ends inside a line');
    expect((await agent.touchstone(['audit', 'verify', '--dir', '/nowhere'])).status).toBe(1);
  });

  it('stops and leaves no process, and starts again with the same keys, locked', async () => {
    expect(await agent.stop()).toEqual([]);
    expect((await sign()).status).toBe(5);
    await agent.start();
    expect((await sign()).status).toBe(4);
    await agent.unlock();
    expect((await sign()).status).toBe(0);
  });
});
