/** One line of `touchstone doctor`. */
export interface Check {
  readonly name: string;
  readonly outcome: 'ok' | 'warn' | 'fail';
  readonly message: string;
  /** What to do; given for everything that is not ok. */
  readonly fix?: string | undefined;
}

export function ok(name: string, message: string): Check {
  return { name, outcome: 'ok', message };
}

export function warn(name: string, message: string, fix: string): Check {
  return { name, outcome: 'warn', message, fix };
}

export function fail(name: string, message: string, fix: string): Check {
  return { name, outcome: 'fail', message, fix };
}
