import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { AgentError } from '../../src/errors/agent-error.js';
import { TokenQueue, type QueueJob } from '../../src/keeper/token-queue.js';
import { LIMITS } from '../../src/protocol/limits.js';

interface Watched {
  readonly job: QueueJob;
  readonly dropped: AgentError[];
  readonly ahead: number[];
}

function job(id: number, run: () => Promise<void>, deadlineMs = 5_000): Watched {
  const dropped: AgentError[] = [];
  const ahead: number[] = [];
  return {
    dropped,
    ahead,
    job: {
      id,
      deadlineMs,
      run,
      onDropped: (error) => dropped.push(error),
      onWaiting: (others) => ahead.push(others),
    },
  };
}

test('first come, first served, and a slow token gets one job at a time', async () => {
  const queue = new TokenQueue();
  const done: number[] = [];
  let together = 0;
  let most = 0;
  for (let id = 0; id < 6; id += 1) {
    const { job: each } = job(id, async () => {
      together += 1;
      most = Math.max(most, together);
      await sleep(15);
      together -= 1;
      done.push(id);
    });
    queue.add(each);
  }
  await expect.poll(() => done.length).toBe(6);
  expect(done).toEqual([0, 1, 2, 3, 4, 5]);
  expect(most).toBe(1);
});

test('a fast token gets several at once', async () => {
  const queue = new TokenQueue();
  const open: (() => void)[] = [];
  queue.add(job(0, () => Promise.resolve()).job);
  await sleep(5);
  const hold = (): Promise<void> => new Promise((resolve) => open.push(resolve));
  for (let id = 1; id <= 40; id += 1) queue.add(job(id, hold).job);
  expect(open.length).toBeGreaterThan(1);
  expect(open.length).toBeLessThan(40);
});

test('what waits ends by its deadline, hears how many are ahead, and can be cancelled', async () => {
  const queue = new TokenQueue();
  let release: () => void = () => undefined;
  queue.add(job(0, () => new Promise((resolve) => (release = resolve))).job);
  const late = job(1, () => Promise.resolve(), 400);
  const cancelled = job(2, () => Promise.resolve());
  queue.add(late.job);
  queue.add(cancelled.job);
  expect(queue.cancel(2)).toBe(true);
  expect(queue.cancel(2)).toBe(false);
  expect(queue.cancel(0)).toBe(false);
  expect(cancelled.dropped.map((error) => error.code)).toEqual(['limits.cancelled']);
  await expect.poll(() => late.dropped.map((error) => error.code)).toEqual(['limits.deadline']);
  expect(late.ahead).toEqual([1]);
  release();
  await expect.poll(() => queue.length).toBe(0);
});

test('a full queue refuses, and what was taken is left alone', () => {
  const queue = new TokenQueue();
  const never = (): Promise<void> => new Promise(() => undefined);
  queue.add(job(0, never).job);
  for (let id = 1; id <= LIMITS.queuePerToken; id += 1) queue.add(job(id, never).job);
  expect(() => {
    queue.add(job(9_999, never).job);
  }).toThrow(expect.objectContaining({ code: 'limits.queue' }));
  expect(queue.length).toBe(LIMITS.queuePerToken + 1);
});
