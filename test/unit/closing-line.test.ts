import { describe, expect, it } from 'vitest';
import { tallyRun, type RunFacts } from '../support/closing-line-reporter.js';

const clean: RunFacts = {
  passed: 3,
  failed: 0,
  skipped: 0,
  strayErrors: 0,
  failedChecks: 0,
  interrupted: false,
  ci: true,
};

describe('closing line of a test run', () => {
  it.each<[string, Partial<RunFacts>, number]>([
    ['a clean run', {}, 0],
    ['failed tests', { failed: 2 }, 2],
    ['a skipped test under CI', { skipped: 1 }, 1],
    ['a skipped test at a desk', { skipped: 1, ci: false }, 0],
    ['a file that did not load', { strayErrors: 1 }, 1],
    ['a check that failed before', { failedChecks: 2 }, 2],
    ['no test at all', { passed: 0 }, 1],
    ['an interrupted run', { interrupted: true }, 1],
  ])('counts %s', (_name, change, failed) => {
    expect(tallyRun({ ...clean, ...change }).failed).toBe(failed);
  });
});
