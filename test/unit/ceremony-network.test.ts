/** From the first step in the room on, the program reaches nothing but the agent. */
import { execFile } from 'node:child_process';
import { createServer } from 'node:net';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { PROJECT_ROOT } from '../support/project-root.js';
import { TempFolder } from '../support/temp-folder.js';

const GUARD = pathToFileURL(path.join(PROJECT_ROOT, 'dist/ceremony/network-guard.js')).href;

/** Every way out of a Node program that opens a socket, resolves a name or starts something that could. */
const ATTEMPTS = {
  'net.connect': "net.connect(port, '127.0.0.1')",
  'Socket.connect': 'new net.Socket().connect({ port })',
  'tls.connect': "tls.connect(port, '127.0.0.1')",
  'http.get': "http.get({ host: '127.0.0.1', port })",
  'https.get': "https.get({ host: '127.0.0.1', port })",
  'http2.connect': "http2.connect('http://127.0.0.1:' + port)",
  fetch: "await fetch('http://127.0.0.1:' + port)",
  'dgram.createSocket': "createSocket('udp4')",
  'dns.lookup': "lookup('a.example', () => {})",
  'dns promises': "await promises.lookup('a.example')",
  'dns.Resolver': "new dns.Resolver().resolve('a.example', () => {})",
  'a server': 'net.createServer().listen(0)',
  'another program': "childProcess.spawnSync('true')",
  'a child process': "new childProcess.ChildProcess().spawn({ file: 'true', args: ['true'] })",
  'a thread': "new Worker('1', { eval: true })",
  'another Unix socket': "net.connect(agent + '-other')",
  'a host with a path': "net.connect({ path: agent, host: '127.0.0.1', port })",
} as const;

const PRELUDE = `
import * as net from 'node:net'; import * as tls from 'node:tls'; import * as http from 'node:http';
import * as https from 'node:https'; import * as http2 from 'node:http2'; import { createSocket } from 'node:dgram';
import * as dns from 'node:dns'; import { lookup, promises } from 'node:dns';
import * as childProcess from 'node:child_process'; import { Worker } from 'node:worker_threads';
import { closeNetwork } from '${GUARD}';
const [port, agent] = [Number(process.argv[1]), process.argv[2]];
const ended = (socket) => new Promise((done, failed) => { socket.on('error', failed).on('connect', () => { socket.destroy(); done(); }); });
`;

let temp: TempFolder;

beforeEach(() => {
  temp = new TempFolder();
});
afterEach(() => {
  temp[Symbol.dispose]();
});

/** What a program prints that runs these lines with a listener on loopback and one on a Unix socket. */
async function runGuarded(script: string): Promise<{ readonly printed: string; readonly reached: number }> {
  let reached = 0;
  const open = createServer((socket) => {
    reached += 1;
    socket.destroy();
  });
  const agent = createServer((socket) => socket.end());
  const socketPath = temp.join('agent.sock');
  await new Promise<void>((done) => open.listen(0, '127.0.0.1', done));
  await new Promise<void>((done) => agent.listen(socketPath, done));
  const address = open.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  try {
    const args = ['--input-type=module', '-e', `${PRELUDE}${script}`, '--', String(port), socketPath];
    const printed = await new Promise<string>((done) => {
      execFile(process.execPath, args, { timeout: 30_000 }, (_error, stdout, stderr) => {
        done(stdout + stderr);
      });
    });
    return { printed, reached };
  } finally {
    open.close();
    agent.close();
  }
}

it('refuses every way out, and lets the agent be asked', async () => {
  const attempts = Object.entries(ATTEMPTS).map(
    ([name, code]) =>
      `try { ${code}; console.log(${JSON.stringify(name)}, 'open'); } ` +
      `catch (error) { console.log(${JSON.stringify(name)}, error.code ?? error.cause?.code); }`,
  );
  const script = `closeNetwork(agent); await ended(net.connect(agent)); console.log('agent', 'open'); ${attempts.join('\n')}; process.exit(0);`;
  const { printed, reached } = await runGuarded(script);
  const expected = ['agent open', ...Object.keys(ATTEMPTS).map((name) => `${name} ceremony.network`)];
  expect(printed.trim().split('\n')).toEqual(expected);
  expect(reached).toBe(0);
});

it('is not undone by asking again', async () => {
  const { printed } = await runGuarded(
    `closeNetwork(); closeNetwork();
     for (const where of [agent, port]) try { net.connect(where); console.log('open'); } catch (error) { console.log(error.code); }
     try { net.Socket.prototype.connect = () => 1; console.log('open'); } catch (error) { console.log(error.name); } process.exit(0);`,
  );
  expect(printed.trim().split('\n')).toEqual(['ceremony.network', 'ceremony.network', 'TypeError']);
});

it('leaves other programs as they are', async () => {
  const { reached } = await runGuarded("await ended(net.connect(port, '127.0.0.1')); process.exit(0);");
  expect(reached).toBe(1);
});
