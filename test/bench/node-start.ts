/** How long a Node process takes that does nothing: the floor under every command. */
import { spawnSync } from 'node:child_process';
import { median, plainBench, type Bench } from './measurement.js';

const STARTS_PER_RUN = 9;

/** Median milliseconds of running `argv` under this Node, several times in a row. */
export function processTime(
  argv: readonly string[],
  environment: NodeJS.ProcessEnv = process.env,
  input: string | Uint8Array = '',
): number {
  const times: number[] = [];
  for (let i = 0; i < STARTS_PER_RUN; i += 1) {
    const begin = performance.now();
    const options = { env: environment, input, encoding: 'utf8', timeout: 30_000 } as const;
    const done = spawnSync(process.execPath, argv, options);
    times.push(performance.now() - begin);
    if (done.status !== 0)
      throw new Error(`node ${argv.join(' ')}: exit ${String(done.status)}\n${done.stderr}`);
  }
  return median(times);
}

export function nodeStart(): Bench {
  return plainBench([
    {
      id: 'node-start',
      label: 'bare Node, start to end of an empty program',
      unit: 'ms',
      measure: () => Promise.resolve({ value: processTime(['-e', '0']) }),
    },
  ]);
}
