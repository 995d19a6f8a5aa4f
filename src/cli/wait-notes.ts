/** Telling a person what a command waits for: others in front of it, a finger on the key, or the key itself. */
import type { AgentClient } from '../client/client.js';
import type { AgentEvent } from '../protocol/events.js';
import type { SetupStep } from '../protocol/methods.js';
import { counted } from './table.js';
import type { CliContext } from './context.js';

/** Says on standard error what the agent waits for on behalf of this connection. @returns ends it */
export function noteWaits(context: CliContext, client: AgentClient): () => void {
  const stop = client.onEvent((event) => {
    const words = wordsOf(event);
    if (words === undefined) return;
    // Without the person nothing goes on, so --quiet lets those lines through.
    if (event.event === 'touch-needed' || event.event === 'token-absent')
      context.warn(`touchstone: ${words}`);
    else context.note(`touchstone: ${words}`);
  });
  // Not waited for: the agent takes calls in order, and without events the work goes on all the same.
  client.call('events.subscribe', {}).catch(() => undefined);
  return stop;
}

const STEP_WORDS: Readonly<Record<SetupStep, string>> = {
  pin: 'entering the PIN',
  puk: 'changing the PUK',
  'management-key': 'proving the management key',
  'root-key': 'making the root key in slot 9c',
  'derivation-key': 'making the derivation key in slot 82',
  certificates: 'writing certificates, the root signs its own',
  keyring: 'making the keyring, the root signs it',
};

function wordsOf(event: AgentEvent): string | undefined {
  switch (event.event) {
    case 'touch-needed':
      return `touch the YubiKey now: token "${event.token}" waits ${event.secondsLeft} s`;
    case 'token-absent':
      return `insert token "${event.token}": waits ${event.secondsLeft} s for it`;
    case 'waiting':
      return `waiting for token "${event.token}", behind ${counted(event.ahead, 'other')}`;
    case 'setup':
      return `token "${event.token}": ${STEP_WORDS[event.step]}`;
    case 'pin-alert':
    case 'token':
    case 'unlocked':
    case 'locked':
    case 'policy':
    case 'stopping':
      return undefined;
  }
}
