/** The code of the AgentError that a call throws; the tests assert on codes, not on words. */
import { AgentError } from '../../src/errors/agent-error.js';
import type { ErrorCode } from '../../src/errors/codes.js';

/** The AgentError thrown by `act`. Anything else thrown, or nothing, fails the test. */
export function thrownBy(act: () => unknown): AgentError {
  try {
    act();
  } catch (error) {
    if (error instanceof AgentError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

export function codeOf(act: () => unknown): ErrorCode {
  return thrownBy(act).code;
}
