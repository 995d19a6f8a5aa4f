/** Unix sockets of the native shim: private listeners, pairs, and the datagram of sd_notify. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { connect, createServer, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { nativeShims } from '../../src/platform/native-shims.js';

const O_NONBLOCK = 0o4000;
const O_CLOEXEC = 0o2000000;

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'touchstone-sockets-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

function coded(code: string): Error {
  return expect.objectContaining({ code }) as Error;
}

/** Open flags as the kernel shows them. */
function flagsOf(fd: number): number {
  const match = /^flags:\s+([0-7]+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'));
  return Number.parseInt(match?.[1] ?? '', 8);
}

function ownUmask(): string | undefined {
  return /^Umask:\s+([0-7]+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
}

describe('a listener', () => {
  it('is for its owner alone, whatever the umask, and the umask stays', async () => {
    const file = path.join(folder, 'socket');
    const umask = ownUmask();
    const fd = nativeShims().listenUnix(file, 16);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(ownUmask()).toBe(umask);
    expect(flagsOf(fd) & (O_NONBLOCK | O_CLOEXEC)).toBe(O_NONBLOCK | O_CLOEXEC);
    const server = createServer((socket) => socket.end('hello')).listen({ fd });
    const client = connect(file);
    const [text] = (await once(client.setEncoding('utf8'), 'data')) as [string];
    expect(text).toBe('hello');
    client.destroy();
    server.close();
  });

  it('refuses a path that is taken, too long, or in no folder', () => {
    const file = path.join(folder, 'socket');
    const fd = nativeShims().listenUnix(file, 1);
    expect(() => nativeShims().listenUnix(file, 1)).toThrow(coded('EADDRINUSE'));
    closeSync(fd);
    const long = path.join(folder, 'x'.repeat(108 - folder.length));
    expect(() => nativeShims().listenUnix(long, 1)).toThrow(coded('ENAMETOOLONG'));
    expect(() => nativeShims().listenUnix(path.join(folder, 'no', 'socket'), 1)).toThrow(coded('ENOENT'));
  });
});

describe('a pair', () => {
  it('is connected, close-on-exec and non-blocking', async () => {
    const [one, two] = nativeShims().socketPair();
    for (const fd of [one, two]) expect(flagsOf(fd) & (O_NONBLOCK | O_CLOEXEC)).toBe(O_NONBLOCK | O_CLOEXEC);
    const left = new Socket({ fd: one });
    const right = new Socket({ fd: two });
    left.write('there');
    const [there] = (await once(right, 'data')) as [Buffer];
    right.write('back');
    const [back] = (await once(left, 'data')) as [Buffer];
    expect([there.toString(), back.toString()]).toEqual(['there', 'back']);
    left.destroy();
    right.destroy();
  });
});

describe('sd_notify', () => {
  const receiver = `
import socket, sys
name = sys.argv[1]
one = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
one.settimeout(20)
one.bind("\\0" + name[1:] if name.startswith("@") else name)
print("bound", flush=True)
print(one.recv(8192).hex(), flush=True)
`;

  it.each(['path', 'abstract'])('sends one datagram to a socket by %s', async (kind) => {
    const name = kind === 'path' ? path.join(folder, 'notify') : `@touchstone-${path.basename(folder)}`;
    const python = spawn('python3', ['-c', receiver, name], { stdio: ['ignore', 'pipe', 'inherit'] });
    // Lines, not chunks: an unbuffered Python writes the line break on its own.
    const lines = createInterface({ input: python.stdout })[Symbol.asyncIterator]();
    expect(await lines.next()).toEqual({ done: false, value: 'bound' });
    nativeShims().notifySocket(name, 'READY=1\nSTATUS=ünlocked');
    const hex = String((await lines.next()).value);
    expect(Buffer.from(hex, 'hex').toString('utf8')).toBe('READY=1\nSTATUS=ünlocked');
    python.kill('SIGKILL');
  });

  it('says when nobody listens or the name is too long', () => {
    expect(() => {
      nativeShims().notifySocket(path.join(folder, 'none'), 'READY=1');
    }).toThrow(coded('ENOENT'));
    expect(() => {
      nativeShims().notifySocket(`@${'x'.repeat(108)}`, 'READY=1');
    }).toThrow(coded('ENAMETOOLONG'));
  });
});
