/** Who gets in: told by the kernel, not by the folder's mode; and the client's own look at who listens. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, cpSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runProgram, startDemoAgent, TOUCHSTONE, type DemoAgent } from '../support/demo-agent.js';
import { PROJECT_ROOT } from '../support/project-root.js';
import { outcomeOf, RawConnection } from '../support/raw-connection.js';
import { TempFolder } from '../support/temp-folder.js';

const KEY = 'touchstone/release#ssh';
const NOBODY = ['--reuid=65534', '--regid=65534', '--clear-groups'] as const;

const BUILD_RULE = `
[[rule]]
id = "build"
who = { uid = 65534 }
kinds = ["sshsig:git"]
keys = ["${KEY}"]
allow = true
`;

/** A program that connects, upgrades, says hello and prints what it was told. */
const CALLER = `
const { WebSocket } = require(${JSON.stringify(path.join(PROJECT_ROOT, 'node_modules/ws'))});
const ws = new WebSocket('ws+unix://' + process.argv[1] + ':/', 'touchstone.v1', { handshakeTimeout: 5000 });
const end = (text) => { console.log(text); process.exit(0); };
ws.on('unexpected-response', (_q, r) => { let b = ''; r.on('data', (c) => (b += c)); r.on('end', () => end(r.statusCode + ' ' + b)); });
ws.on('error', (e) => end('error ' + e.code));
ws.on('open', () => ws.send('{"jsonrpc":"2.0","id":1,"method":"hello","params":{"client":"x","protocol":1}}'));
ws.on('message', (m) => end('hello ' + m));
`;

function callAs(through: readonly string[], socket: string): Promise<string> {
  const argv = [...through, process.execPath, '-e', CALLER, socket];
  const [program = '', ...rest] = argv;
  return runProgram(program, rest, { cwd: '/', timeoutMs: 15_000 }).then(({ stdout }) => stdout);
}

describe('callers of the agent', () => {
  let agent: DemoAgent;
  let policy: string;

  beforeAll(async () => {
    agent = await startDemoAgent();
    await agent.derive(KEY);
    policy = readFileSync(agent.policyFile, 'utf8');
    // The folder hides the socket from others; what is tested here is the agent's own check.
    chmodSync(agent.folder, 0o755);
    chmodSync(path.dirname(agent.socket), 0o755);
    chmodSync(agent.socket, 0o666);
  });
  afterAll(async () => {
    await agent[Symbol.asyncDispose]();
  });

  async function setPolicy(text: string): Promise<void> {
    using listener = await RawConnection.open(agent.socket);
    await listener.call('events.subscribe', {});
    writeFileSync(agent.policyFile, text);
    await listener.nextWhere((reply) => reply.params?.event === 'policy');
  }

  it('serves its own user, and says who the kernel says it is', async () => {
    expect(await callAs([], agent.socket)).toContain(`"uid":${process.getuid?.() ?? -1}`);
  });

  it('refuses another uid although the socket is open to it', async () => {
    const answer = await callAs(['setpriv', ...NOBODY], agent.socket);
    expect(answer).toMatch(/^403 /);
    expect(answer).toContain('"code":"peer.uid-refused"');
    expect(answer).toContain('ask the owner to name your uid in policy.toml');
  });

  it('lets a uid in that a policy rule names, for what the rule allows and nothing else', async () => {
    await setPolicy(policy + BUILD_RULE);
    expect(await callAs(['setpriv', ...NOBODY], agent.socket)).toContain('"uid":65534');
    expect(
      await callAs(['setpriv', '--reuid=65533', '--regid=65533', '--clear-groups'], agent.socket),
    ).toContain('peer.uid-refused');
    const explained = async (kind: string): Promise<string> => {
      const argv = ['policy', 'explain', '--key', KEY, '--kind', kind, '--uid', '65534'];
      return agent.must(argv);
    };
    expect(await explained('sshsig:git')).toMatch(/^allow: rule "build"/);
    expect(await explained('sshsig:file')).toMatch(/^deny: no rule/);
    await setPolicy(policy);
    expect(await callAs(['setpriv', ...NOBODY], agent.socket)).toContain('peer.uid-refused');
  });

  it('keeps what belongs to the owner from a uid that may sign', async () => {
    await setPolicy(policy + BUILD_RULE);
    const calls: Readonly<Record<string, object>> = {
      'unlock.begin': {},
      lock: {},
      'keys.derive': { key: 'touchstone/other#ssh' },
      'keys.rotate': { key: KEY },
      'keys.revoke': { key: KEY, reason: 'mine' },
      'tokens.setup': { pin: { attempt: 'x', enc: '', ciphertext: '' } },
      'tokens.plan': { token: 'demo' },
      'audit.query': {},
    };
    const requests = Object.entries(calls).map(([method, params], index) =>
      JSON.stringify({ jsonrpc: '2.0', id: index + 2, method, params }),
    );
    // One after the other: every answer is printed, then the next is asked.
    const script = CALLER.replace(
      "ws.on('message', (m) => end('hello ' + m));",
      `const q = ${JSON.stringify(requests)}; ws.on('message', (m) => { console.log('' + m); q.length ? ws.send(q.shift()) : end(''); });`,
    );
    const argv = [...NOBODY, process.execPath, '-e', script, agent.socket];
    const { stdout } = await runProgram('setpriv', argv, { cwd: '/' });
    const [hello = '', ...answers] = stdout.trim().split('\n');
    expect(hello).toContain('"uid":65534');
    expect(answers).toHaveLength(requests.length);
    for (const answer of answers) expect(answer).toContain('"code":"peer.owner-only"');
    await setPolicy(policy);
  });

  it('refuses browsers', async () => {
    const attempt = RawConnection.connect(agent.socket, { headers: { origin: 'http://localhost' } });
    await expect(attempt).rejects.toThrow(/^403 .*"code":"peer.origin-refused"/);
  });

  it.each([[['touchstone.v2']], [['chat', 'graphql-ws']], [[]]])(
    'refuses the subprotocols %j',
    async (protocols) => {
      const attempt = RawConnection.connect(agent.socket, { protocols });
      await expect(attempt).rejects.toThrow(/"code":"rpc.version"/);
    },
  );

  it('ends a connection when the process that opened it has exited, although a child still holds it', async () => {
    using witness = await RawConnection.open(agent.socket);
    const connections = async (): Promise<number> =>
      ((await witness.call('status', {})).result as { readonly connections: number }).connections;
    const before = await connections();
    // The opener upgrades by hand, passes the descriptor to a child as its stdin, and exits.
    const opener = `
      const { spawn } = require('node:child_process');
      const s = require('node:net').connect(process.argv[1], () => s.write(
        'GET / HTTP/1.1\\r\\nHost: x\\r\\nConnection: Upgrade\\r\\nUpgrade: websocket\\r\\nSec-WebSocket-Version: 13\\r\\n' +
        'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\\r\\nSec-WebSocket-Protocol: touchstone.v1\\r\\n\\r\\n'));
      s.once('data', () => {
        spawn('sh', ['-c', 'cat >/dev/null; echo the-connection-ended >&3'], { stdio: [s, 'ignore', 'ignore', 'inherit'], detached: true }).unref();
        process.stdout.write('passed');
        process.stdin.once('data', () => process.exit(0));
      });`;
    const child = spawn(process.execPath, ['-e', opener, agent.socket], {
      stdio: ['pipe', 'pipe', 'inherit', 'pipe'],
    });
    const [input, output, , ended] = child.stdio;
    if (input === null || output === null) throw new Error('the opener has no pipes');
    await once(output, 'data');
    await delay(300);
    // Control: while the opener lives, so does the connection.
    expect(await connections()).toBe(before + 1);
    const heard = once(ended as unknown as NodeJS.ReadableStream, 'data');
    input.write('go\n');
    await once(child, 'exit');
    const [told] = (await Promise.race([heard, delay(8000, ['nothing'])])) as [Buffer | string];
    expect(String(told).trim()).toBe('the-connection-ended');
    expect(await connections()).toBe(before);
  });

  it('is not believed by a client of another user, which sends it nothing', async () => {
    // The squatter: a server of uid 65534 that writes down whatever it gets.
    using folder = new TempFolder();
    chmodSync(folder.path, 0o777);
    const socket = folder.join('agent.sock');
    const heard = folder.join('heard');
    const script = `
      const fs = require('node:fs');
      fs.writeFileSync(process.argv[2], '');
      require('node:net').createServer((s) => s.on('data', (d) => fs.appendFileSync(process.argv[2], d)))
        .listen(process.argv[1], () => console.log('listening'));`;
    const argv = [...NOBODY, process.execPath, '-e', script, socket, heard];
    const squatter = spawn('setpriv', argv, { cwd: '/', stdio: ['ignore', 'pipe', 'inherit'] });
    try {
      await once(squatter.stdout, 'data');
      const result = await agent.touchstone(['key', 'list', '--socket', socket]);
      expect(result.status).toBe(5);
      expect(result.stderr).toContain('is served by uid 65534, not by you, root or the service user');
      expect(readFileSync(heard)).toHaveLength(0);
      // Control: with that uid named as the service user the same client speaks.
      agent.configure((toml) => toml.replace('# service-uid = 998', 'service-uid = 65534'));
      await agent.touchstone(['key', 'list', '--socket', socket, '--timeout', '1']);
      expect(readFileSync(heard).length).toBeGreaterThan(0);
    } finally {
      agent.configure((toml) => toml.replace('service-uid = 65534', '# service-uid = 998'));
      squatter.kill('SIGKILL');
    }
  });

  it('does not start without its native shim, and says how to build it', async () => {
    using folder = new TempFolder();
    for (const part of ['dist', 'package.json', 'softhsm-config'])
      cpSync(path.join(PROJECT_ROOT, part), folder.join(part), { recursive: true });
    mkdirSync(folder.join('native-shims'));
    symlinkSync(path.join(PROJECT_ROOT, 'node_modules'), folder.join('node_modules'));
    const program = folder.join('dist/bin/touchstone.js');
    expect(TOUCHSTONE.endsWith('dist/bin/touchstone.js')).toBe(true);
    const environment = { ...agent.environment, TOUCHSTONE_SOCK: folder.join('run/agent.sock') };
    const run = await runProgram(process.execPath, [program, 'agent', 'run', '--allow-root'], {
      environment,
    });
    expect(run.status).toBe(1);
    expect(run.stderr).toContain('the native shim is not built');
    expect(run.stderr).toContain('npm run build:native');
    const doctor = await runProgram(process.execPath, [program, 'doctor'], { environment });
    expect(doctor.stdout).toMatch(/^fail +native shim: /m);
    // A client without the shim cannot check who listens, so it does not speak.
    const list = await runProgram(process.execPath, [program, 'key', 'list'], {
      environment: agent.environment,
    });
    expect(list.status).not.toBe(0);
    expect(list.stderr).toContain('npm run build:native');
    rmSync(folder.join('node_modules'));
  });

  it('still serves its owner after all this', async () => {
    using client = await RawConnection.open(agent.socket);
    expect(outcomeOf(await client.call('status', {}))).toBe('ok');
  });
});
