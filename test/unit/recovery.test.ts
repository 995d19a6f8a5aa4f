/** What is tried when a token fails and nobody can say why. */
import { describe, expect, it } from 'vitest';
import { AgentError } from '../../src/errors/agent-error.js';
import type { ErrorCode } from '../../src/errors/codes.js';
import { climb } from '../../src/keeper/recovery.js';
import { rejectionOf } from '../support/rejection.js';

/** Rungs that end like this, and which of them were tried. */
function rungs(...ends: readonly (ErrorCode | 'works')[]): {
  readonly tried: number[];
  readonly all: readonly (() => Promise<number>)[];
} {
  const tried: number[] = [];
  const all = ends.map((end, at) => () => {
    tried.push(at);
    return end === 'works' ? Promise.resolve(at) : Promise.reject(new AgentError(end));
  });
  return { tried, all };
}

describe('recovery', () => {
  it('goes on to the next rung until one works', async () => {
    const { tried, all } = rungs('token.device', 'token.timeout', 'works', 'works');
    expect([await climb(all, () => true), tried]).toEqual([2, [0, 1, 2]]);
  });

  it('ends at an error that says what happened', async () => {
    const { tried, all } = rungs('token.other', 'token.removed', 'works');
    expect([(await rejectionOf(climb(all, () => true))).code, tried]).toEqual(['token.removed', [0, 1]]);
  });

  it('ends with the error of the last rung', async () => {
    const { all } = rungs('token.device', 'token.host-crashed');
    expect((await rejectionOf(climb(all, () => true))).code).toBe('token.host-crashed');
  });

  it('goes no further when somebody has locked the token meanwhile', async () => {
    const { all, tried } = rungs('token.host-crashed', 'works');
    expect((await rejectionOf(climb(all, () => false))).code).toBe('token.host-crashed');
    expect(tried).toEqual([0]);
  });
});
