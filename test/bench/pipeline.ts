/**
 * Keeps a fixed number of requests in flight on one connection for a while. The connection says how to send one and
 * calls `answered` for each reply; everything else, timing included, is the same for every kind of agent.
 */
import type { Measurement } from './measurement.js';

export interface Connection {
  /** Sends `count` requests at once. Replies come in any order; each calls the function given to `onAnswer`. */
  send(count: number): void;
  onAnswer(answered: () => void): void;
  onFailure(failed: (reason: Error) => void): void;
}

/** Signatures per second with `depth` requests in flight; `perAnswer` signatures in each. */
export function measurePipeline(
  connection: Connection,
  depth: number,
  seconds: number,
  perAnswer = 1,
): Promise<Measurement> {
  return new Promise((resolve, reject) => {
    const times: number[] = [];
    const begin = performance.now();
    const end = begin + seconds * 1000;
    let answers = 0;
    let inFlight = depth;
    let last = begin;
    connection.onFailure(reject);
    connection.onAnswer(() => {
      const now = performance.now();
      answers += 1;
      inFlight -= 1;
      if (depth === 1) times.push(now - last);
      last = now;
      if (now < end) {
        inFlight += 1;
        connection.send(1);
      } else if (inFlight === 0) {
        times.sort((a, b) => a - b);
        const middle = times[times.length >> 1];
        resolve({
          value: (answers * perAnswer * 1000) / (now - begin),
          medianMicros: middle === undefined ? undefined : middle * 1000,
        });
      }
    });
    connection.send(depth);
  });
}

/** Sends `count` requests, `depth` in flight at any time, and waits for all replies. */
export function measureCount(connection: Connection, depth: number, count: number): Promise<void> {
  return new Promise((resolve, reject) => {
    let sent = Math.min(depth, count);
    let answers = 0;
    connection.onFailure(reject);
    connection.onAnswer(() => {
      answers += 1;
      if (answers === count) resolve();
      else if (sent < count) {
        sent += 1;
        connection.send(1);
      }
    });
    connection.send(sent);
  });
}
