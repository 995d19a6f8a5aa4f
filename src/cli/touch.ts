/** Telling a person at the keyboard that a key wants to be touched, while a command waits for it. */
import type { AgentClient } from '../client/client.js';
import type { CliContext } from './context.js';

/** Runs `work` and says on standard error, also with --quiet, when a token waits for a finger. */
export async function withTouchNotes<T>(
  context: CliContext,
  client: AgentClient,
  work: () => Promise<T>,
): Promise<T> {
  const stop = client.onEvent((event) => {
    if (event.event !== 'touch-needed') return;
    context.warn(`touchstone: touch the YubiKey now: token "${event.token}" waits ${event.secondsLeft} s`);
  });
  // Not waited for: the agent takes calls in order, and without events the work goes on all the same.
  client.call('events.subscribe', {}).catch(() => undefined);
  try {
    return await work();
  } finally {
    stop();
  }
}
