/** What one row of the benchmark is: something that can be measured again and again for about a second. */

export type Unit = 'sign/s' | 'keys/s' | 'syncs/s' | 'ms' | 'MB';

export interface Measurement {
  readonly value: number;
  /** Median time of one signature, microseconds; only where requests were sent one at a time. */
  readonly medianMicros?: number | undefined;
}

export interface Row {
  /** Short and stable: the name in the JSON. */
  readonly id: string;
  readonly label: string;
  readonly unit: Unit;
  /** One run of about `seconds`; rows that measure single events take as long as those take. */
  measure(seconds: number): Promise<Measurement>;
}

/** Some rows that share a set-up, for example one running agent. */
export interface Bench extends AsyncDisposable {
  readonly rows: readonly Row[];
}

/** A bench without anything to close. */
export function plainBench(rows: readonly Row[]): Bench {
  return { rows, [Symbol.asyncDispose]: () => Promise.resolve() };
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

/** Calls `once` for about `seconds` and answers calls per second. */
export function callRate(seconds: number, once: () => void): number {
  const begin = performance.now();
  const end = begin + seconds * 1000;
  let calls = 0;
  let now = begin;
  while (now < end) {
    for (let i = 0; i < 16; i += 1) once();
    calls += 16;
    now = performance.now();
  }
  return (calls * 1000) / (now - begin);
}
