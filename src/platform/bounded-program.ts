/** A program that is asked one thing: started without our descriptors, fed, heard up to a bound, gone by a deadline. */
import { spawn } from 'node:child_process';

export interface BoundedRun {
  /** Absolute path. */
  readonly program: string;
  readonly argv: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** For its standard input; overwritten once it is written. */
  readonly input?: Buffer | undefined;
  /** What it says beyond this ends it. */
  readonly maxOutputBytes: number;
  /** Milliseconds. */
  readonly timeoutMs: number;
  /** Ends it when nobody waits for it any more. */
  readonly signal?: AbortSignal | undefined;
}

/** `output` may hold a secret: whoever asked overwrites it. */
export type BoundedEnd =
  | { readonly kind: 'ended'; readonly how: string; readonly output: Buffer }
  | { readonly kind: 'late' }
  | { readonly kind: 'cancelled' }
  | { readonly kind: 'talks-too-much' }
  | { readonly kind: 'not-started' };

/** Runs the program to its end, or kills it; never rejects. `how` is for people: `status 1`, `signal SIGSEGV`. */
export function runBounded(run: BoundedRun): Promise<BoundedEnd> {
  const { program, argv, environment, input, maxOutputBytes, timeoutMs, signal } = run;
  if (signal?.aborted === true) {
    input?.fill(0);
    return Promise.resolve({ kind: 'cancelled' });
  }
  const child = spawn(program, argv, {
    stdio: ['pipe', 'pipe', 'ignore'],
    cwd: '/',
    env: { ...environment },
  });
  const heard = Buffer.alloc(maxOutputBytes);
  let length = 0;
  return new Promise<BoundedEnd>((resolve) => {
    const give = (end: BoundedEnd): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      child.kill('SIGKILL');
      resolve(end);
    };
    const onAbort = (): void => {
      give({ kind: 'cancelled' });
    };
    const timer = setTimeout(() => {
      give({ kind: 'late' });
    }, timeoutMs);
    signal?.addEventListener('abort', onAbort);
    child.once('error', () => {
      give({ kind: 'not-started' });
    });
    child.stdout.on('data', (chunk: Buffer) => {
      if (length + chunk.length > heard.length) give({ kind: 'talks-too-much' });
      else length += chunk.copy(heard, length);
      chunk.fill(0);
    });
    child.once('close', (code, killedBy) => {
      const how = killedBy === null ? `status ${code ?? 0}` : `signal ${killedBy}`;
      give({ kind: 'ended', how, output: Buffer.from(heard.subarray(0, length)) });
    });
    // A program that ends early breaks the pipe; its end says so already.
    child.stdin.on('error', () => undefined);
    child.stdin.end(input, () => input?.fill(0));
  }).finally(() => {
    heard.fill(0);
    input?.fill(0);
  });
}
