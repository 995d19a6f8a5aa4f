/** A program that is asked one thing: started without our descriptors, fed, heard up to a bound, gone by a deadline. */
import { startHeard } from './heard-program.js';

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

/** `output` may hold a secret: whoever asked overwrites it. `how` is for people: `status 1`, `signal SIGSEGV`. */
export type BoundedEnd =
  | { readonly kind: 'ended'; readonly how: string; readonly output: Buffer }
  | { readonly kind: 'late' }
  | { readonly kind: 'cancelled' }
  | { readonly kind: 'talks-too-much' }
  | { readonly kind: 'not-started' };

/** Runs the program to its end, or kills it; never rejects for what the program does. */
export function runBounded(run: BoundedRun): Promise<BoundedEnd> {
  const { input, maxOutputBytes, signal } = run;
  if (signal?.aborted === true) {
    input?.fill(0);
    return Promise.resolve({ kind: 'cancelled' });
  }
  const heard = bytesOutsideHeap(maxOutputBytes);
  let length = 0;
  return new Promise<BoundedEnd>((resolve) => {
    const give = (end: BoundedEnd): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      running.deafen();
      running.child.kill('SIGKILL');
      resolve(end);
    };
    const onAbort = (): void => {
      give({ kind: 'cancelled' });
    };
    const timer = setTimeout(() => {
      give({ kind: 'late' });
    }, run.timeoutMs);
    signal?.addEventListener('abort', onAbort);
    const running = startHeard(run.program, run.argv, run.environment, {
      onData: (chunk) => {
        if (length + chunk.length > heard.length) give({ kind: 'talks-too-much' });
        else length += chunk.copy(heard, length);
      },
      onEnd: (code, killedBy) => {
        if (code === null && killedBy === null) {
          give({ kind: 'not-started' });
          return;
        }
        const output = bytesOutsideHeap(length);
        heard.copy(output, 0, 0, length);
        give({
          kind: 'ended',
          how: killedBy === null ? `status ${code ?? 0}` : `signal ${killedBy}`,
          output,
        });
      },
    });
    running.stdin.end(input, () => input?.fill(0));
  }).finally(() => {
    heard.fill(0);
    input?.fill(0);
  });
}

/** The garbage collector moves small buffers of its own heap, and leaves a copy behind. */
function bytesOutsideHeap(length: number): Buffer {
  return Buffer.from(new ArrayBuffer(length));
}
