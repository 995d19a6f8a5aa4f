/**
 * A program whose output may be a secret. It writes into a socket that we read into one buffer, overwritten after each piece: the pipes
 * of the runtime leave copies in memory that was given back.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync } from 'node:fs';
import { Socket, type OnReadOpts, type SocketConstructorOpts } from 'node:net';
import type { Writable } from 'node:stream';
import { invariant } from '../errors/agent-error.js';
import { nativeShims } from './native-shims.js';

const READ_BYTES = 4096;

export interface Hearer {
  /** A piece of output, valid during the call. */
  readonly onData: (chunk: Buffer) => void;
  /** It has ended and said everything, or could not run (code and signal null). */
  readonly onEnd: (code: number | null, signal: NodeJS.Signals | null) => void;
}

export interface HeardProgram {
  readonly child: ChildProcess;
  readonly stdin: Writable;
  /** From now on nobody listens; what comes is dropped. */
  readonly deafen: () => void;
}

/** Starts the program in `/` with nothing of ours but `environment`; errors on its input are its own business. */
export function startHeard(
  program: string,
  argv: readonly string[],
  environment: NodeJS.ProcessEnv,
  { onData, onEnd }: Hearer,
): HeardProgram {
  const [ours, theirs] = nativeShims().socketPair();
  const child = spawn(program, argv, { stdio: ['pipe', theirs, 'ignore'], cwd: '/', env: environment });
  closeSync(theirs);
  const { stdin } = child;
  invariant(stdin !== null, 'a program was started without its input');
  // A program that ends early breaks the pipe; its end says so already.
  stdin.on('error', () => undefined);
  let isHeard = true;
  let open = 2;
  let ended: [number | null, NodeJS.Signals | null] = [null, null];
  const endOne = (): void => {
    open -= 1;
    if (open === 0 && isHeard) onEnd(...ended);
  };
  const output = readSecretly(
    ours,
    (chunk) => {
      if (isHeard) onData(chunk);
    },
    endOne,
  );
  child.once('exit', (code, signal) => {
    ended = [code, signal];
    endOne();
  });
  child.once('error', () => {
    if (child.pid === undefined) endOne();
  });
  const deafen = (): void => {
    isHeard = false;
    output.destroy();
  };
  return { child, stdin, deafen };
}

function readSecretly(fd: number, onData: (chunk: Buffer) => void, onEnd: () => void): Socket {
  const buffer = Buffer.alloc(READ_BYTES);
  const options: SocketConstructorOpts & { readonly onread: OnReadOpts } = {
    fd,
    readable: true,
    writable: false,
    onread: {
      buffer,
      callback: (bytes) => {
        try {
          onData(buffer.subarray(0, bytes));
        } finally {
          buffer.fill(0, 0, bytes);
        }
        return true;
      },
    },
  };
  const socket = new Socket(options);
  socket.on('error', () => undefined);
  socket.once('close', onEnd);
  socket.resume();
  return socket;
}
