/**
 * How much of our own code runs, counted and not timed: V8 counts every block of every function. What the platform does inside one call
 * of it is not counted.
 */
import { Session, type Profiler } from 'node:inspector';
import { setFlagsFromString } from 'node:v8';

// Optimised code loses counts, and what was optimised once stays so: for the whole process, before anything runs.
setFlagsFromString('--no-opt');

/** Executions of blocks of functions in `src/` during the call. */
export function workOf(act: () => void): number {
  // What ran before anybody counted is in the first count of each function.
  counted(act);
  return counted(act);
}

function counted(act: () => void): number {
  const session = new Session();
  session.connect();
  try {
    session.post('Profiler.enable');
    session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
    take(session);
    act();
    return take(session).reduce(
      (sum, script) => sum + (script.url.includes('/src/') ? countOf(script) : 0),
      0,
    );
  } finally {
    session.disconnect();
  }
}

function take(session: Session): readonly Profiler.ScriptCoverage[] {
  let result: readonly Profiler.ScriptCoverage[] = [];
  session.post('Profiler.takePreciseCoverage', (error, taken) => {
    if (error !== null) throw error;
    result = taken.result;
  });
  return result;
}

function countOf({ functions }: Profiler.ScriptCoverage): number {
  return functions.flatMap(({ ranges }) => ranges).reduce((sum, { count }) => sum + count, 0);
}
