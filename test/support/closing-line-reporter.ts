/**
 * Prints `N passed, N failed` as the very last line of a test run, so that a person and a script read the same
 * thing. A skipped test counts as failed under CI: a check that did not run has not passed. An error outside any
 * test, a file that did not load and a run without tests are failures too.
 */
import type { SerializedError } from 'vitest';
import type { Reporter, TestModule, TestRunEndReason } from 'vitest/node';

export interface Tally {
  readonly passed: number;
  readonly failed: number;
}

/** What counts, apart from the tests that simply passed. */
export interface RunFacts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** Files that could not be loaded, and errors that belong to no test. */
  readonly strayErrors: number;
  /** Checks that ran before the tests and failed: types, eslint, prettier, knip. */
  readonly failedChecks: number;
  readonly interrupted: boolean;
  readonly ci: boolean;
}

/** The two numbers of the closing line. */
export function tallyRun(facts: RunFacts): Tally {
  const failed = facts.failed + facts.strayErrors + facts.failedChecks + (facts.ci ? facts.skipped : 0);
  const nothingRan = facts.passed + facts.failed + facts.skipped === 0;
  return { passed: facts.passed, failed: failed === 0 && (nothingRan || facts.interrupted) ? 1 : failed };
}

export class ClosingLineReporter implements Reporter {
  onTestRunEnd(
    modules: readonly TestModule[],
    errors: readonly SerializedError[],
    reason: TestRunEndReason,
  ): void {
    const states = modules.flatMap((module) =>
      [...module.children.allTests()].map((test) => test.result().state),
    );
    const count = (state: string): number => states.filter((each) => each === state).length;
    const broken = modules.reduce((sum, module) => sum + module.errors().length, 0);
    const tally = tallyRun({
      passed: count('passed'),
      failed: count('failed') + count('pending'),
      skipped: count('skipped'),
      strayErrors: errors.length + broken,
      failedChecks: Number(process.env['TOUCHSTONE_FAILED_CHECKS'] ?? '0'),
      interrupted: reason === 'interrupted',
      ci: process.env['CI'] !== undefined && process.env['CI'] !== 'false',
    });
    if (tally.failed > 0) process.exitCode = 1;
    // Other reporters still print when a run ends; the line comes last because the process does.
    process.once('exit', () => {
      process.stdout.write(`${tally.passed} passed, ${tally.failed} failed\n`);
    });
  }
}
