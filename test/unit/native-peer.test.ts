/** Who calls, and when they have gone: real connections from real processes. */
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readlinkSync, rmSync } from 'node:fs';
import { connect, createServer, Socket, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { nativeShims } from '../../src/platform/native-shims.js';
import { peerLabel, peerOf, watchPeerExit } from '../../src/platform/peer.js';
import { NativeChild, SHIM_PATH } from '../support/native-child.js';

const IS_ROOT = process.getuid?.() === 0;
/** Only root can become somebody else; the assertion is the same for everybody. */
const OTHER = IS_ROOT
  ? { uid: 12_345, gid: 12_346, through: ['setpriv', '--reuid=12345', '--regid=12346', '--clear-groups'] }
  : { uid: process.getuid?.(), gid: process.getgid?.(), through: [] };

const CONNECT = `
const { connect } = await import('node:net');
const socket = connect(process.argv[1]);
await once(socket, 'connect');
say(process.pid);
await hear();
`;
/** Keeps the connection open in another process, then ends. */
const HAND_OVER = `${CONNECT}
const { spawn } = await import('node:child_process');
const heir = spawn('sleep', ['30'], { stdio: [socket._handle.fd, 'ignore', 'ignore'], detached: true });
say(heir.pid);
process.exit(0);
`;

let folder = '';
let server: Server | undefined;

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'touchstone-peer-'));
  chmodSync(folder, 0o755);
});
afterEach(() => {
  server?.close();
  rmSync(folder, { recursive: true, force: true });
});

function socketPath(): string {
  return path.join(folder, 'socket');
}

async function listen(): Promise<Server> {
  server = createServer({ pauseOnConnect: true, allowHalfOpen: true });
  server.listen(socketPath());
  await once(server, 'listening');
  chmodSync(socketPath(), 0o666);
  return server;
}

async function accept(from: Server): Promise<Socket> {
  const [socket] = (await once(from, 'connection')) as [Socket];
  return socket;
}

const UNKNOWN = expect.objectContaining({ code: 'peer.unknown' }) as Error;

async function calledOnce(callback: () => void): Promise<void> {
  await vi.waitFor(() => {
    expect(callback).toHaveBeenCalledOnce();
  }, 10_000);
}

describe('peer credentials', () => {
  it('are those of the process that connected, also of another user', async () => {
    const accepted = accept(await listen());
    await using child = new NativeChild(CONNECT, { through: OTHER.through, args: [socketPath()] });
    const pid = await child.heard();
    const socket = await accepted;
    expect(peerOf(socket)).toEqual({ pid, uid: OTHER.uid, gid: OTHER.gid });
    expect(peerLabel(child.pid)).toBe(readlinkSync('/proc/self/exe'));
    socket.destroy();
  });

  it('come from the descriptor that node keeps in _handle, at both ends', async () => {
    const accepted = accept(await listen());
    const client = connect(socketPath());
    const socket = await accepted;
    const us = { pid: process.pid, uid: process.getuid?.(), gid: process.getgid?.() };
    expect(peerOf(client)).toEqual(us);
    expect(peerOf(socket)).toEqual(us);
    client.destroy();
    socket.destroy();
    expect(() => peerOf(socket)).toThrow(UNKNOWN);
  });

  it('are unknown for a socket that is not connected, not Unix, or not a socket', async () => {
    expect(() => peerOf(new Socket())).toThrow(UNKNOWN);
    const tcp = createServer((accepted) => accepted.destroy()).listen(0, '127.0.0.1');
    await once(tcp, 'listening');
    const address = tcp.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    const client = connect(address.port, '127.0.0.1');
    await once(client, 'connect');
    expect(() => peerOf(client)).toThrow(UNKNOWN);
    client.destroy();
    tcp.close();
    const fd = nativeShims().listenUnix(path.join(folder, 'listener'), 1);
    expect(() => nativeShims().peerCredentials(fd)).toThrow(expect.objectContaining({ code: 'ENOTCONN' }));
    expect(() => nativeShims().peerCredentials(1_000_000)).toThrow(
      expect.objectContaining({ code: 'EBADF' }),
    );
    new Socket({ fd }).destroy();
  });

  it('label nothing for a process that does not exist', () => {
    expect(peerLabel(2 ** 30)).toBeUndefined();
  });
});

describe('the exit of a peer', () => {
  it('is told once, and not before', async () => {
    const accepted = accept(await listen());
    await using child = new NativeChild(CONNECT, { args: [socketPath()] });
    const socket = await accepted;
    await child.heard();
    const onExit = vi.fn();
    watchPeerExit(socket, onExit);
    await delay(50);
    expect(onExit).not.toHaveBeenCalled();
    child.process.kill('SIGKILL');
    await calledOnce(onExit);
    await delay(20);
    expect(onExit).toHaveBeenCalledOnce();
    socket.destroy();
  });

  it('is told even when another process keeps the connection open', async () => {
    const accepted = accept(await listen());
    await using child = new NativeChild(HAND_OVER, { args: [socketPath()] });
    const socket = await accepted;
    await child.heard();
    const onExit = vi.fn();
    watchPeerExit(socket, onExit);
    child.tell('hand over');
    const heir = Number(await child.heard());
    await calledOnce(onExit);
    // The kernel still names the one that connected, and the connection is still open.
    expect(peerOf(socket).pid).toBe(child.pid);
    expect(process.kill(heir, 'SIGKILL')).toBe(true);
    socket.destroy();
  });

  it('is told, later than the call, when it had already happened', async () => {
    const accepted = accept(await listen());
    const child = new NativeChild(CONNECT, { args: [socketPath()] });
    const socket = await accepted;
    const { fd } = (socket as unknown as { readonly _handle: { readonly fd: number } })._handle;
    await child[Symbol.asyncDispose]();
    expect(() => nativeShims().watchProcessExit(fd, child.pid, () => undefined)).toThrow(
      expect.objectContaining({ code: 'ESRCH' }),
    );
    const onExit = vi.fn();
    watchPeerExit(socket, onExit);
    expect(onExit).not.toHaveBeenCalled();
    await calledOnce(onExit);
    const unwanted = vi.fn();
    watchPeerExit(socket, unwanted).close();
    await delay(20);
    expect(unwanted).not.toHaveBeenCalled();
    socket.destroy();
  });

  it('is not told after close, which may be called twice', async () => {
    const accepted = accept(await listen());
    await using child = new NativeChild(CONNECT, { args: [socketPath()] });
    const socket = await accepted;
    await child.heard();
    const unwanted = vi.fn();
    const onExit = vi.fn();
    const watch = watchPeerExit(socket, unwanted);
    watchPeerExit(socket, onExit);
    watch.close();
    watch.close();
    child.process.kill('SIGKILL');
    await calledOnce(onExit);
    expect(unwanted).not.toHaveBeenCalled();
    socket.destroy();
  });

  it('cannot be watched for a pid that is not the peer', () => {
    const [one, two] = nativeShims().socketPair();
    const watch = (pid: number): unknown => nativeShims().watchProcessExit(one, pid, () => undefined);
    expect(() => watch(process.ppid)).toThrow(expect.objectContaining({ code: 'ESRCH' }));
    new Socket({ fd: one }).destroy();
    new Socket({ fd: two }).destroy();
  });
});

describe('a watch and the life of node', () => {
  it('does not keep the process alive', async () => {
    const script = `
      const [one] = shims.socketPair();
      globalThis.kept = shims.watchProcessExit(one, process.pid, () => say('wrong'));
      process.stdin.destroy();`;
    const child = new NativeChild(script);
    expect(await child.ended()).toEqual({ code: 0, signal: null });
  });

  it('ends with its thread, forgotten or not, without a crash', async () => {
    const script = `
      const { Worker } = await import('node:worker_threads');
      const code = \`
        const shims = require(${JSON.stringify(SHIM_PATH)});
        const [one] = shims.socketPair();
        for (let i = 0; i < 20; i++) globalThis['kept' + i % 10] = shims.watchProcessExit(one, process.pid, () => {});
        globalThis.leaf = shims.leafImport('ecdsa-p256', Buffer.alloc(32, 7));
        shims.leafSign(globalThis.leaf, Buffer.from('x'));\`;
      for (let i = 0; i < 3; i++) await once(new Worker(code, { eval: true, execArgv: [] }), 'exit');
      say('done');
      process.exit(0);`;
    const child = new NativeChild(script);
    expect(await child.heard()).toBe('done');
    expect(await child.ended()).toEqual({ code: 0, signal: null });
  });

  it('reports what a callback throws as uncaught, like any other callback', async () => {
    const script = `
      const { spawn } = await import('node:child_process');
      const { connect, createServer } = await import('node:net');
      process.on('uncaughtException', (error) => { say(error.message); process.exit(0); });
      const path = process.argv[1];
      const server = createServer((socket) => {
        const { fd } = socket._handle;
        shims.watchProcessExit(fd, shims.peerCredentials(fd).pid, () => { throw new Error('on purpose'); });
        child.kill('SIGKILL');
      }).listen(path);
      await once(server, 'listening');
      const child = spawn(process.execPath, ['-e', 'require("net").connect(process.argv[1])', path]);`;
    await using child = new NativeChild(script, { args: [socketPath()] });
    expect(await child.heard()).toBe('on purpose');
  });
});
