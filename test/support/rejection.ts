/** The AgentError that a promise is rejected with. Anything else, or no rejection, fails the test. */
import { AgentError } from '../../src/errors/agent-error.js';

export async function rejectionOf(promise: Promise<unknown>): Promise<AgentError> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof AgentError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}
