/** `touchstone token list --watch`: a line for everything that happens to a token, until the reader or the agent goes away. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { AgentClient } from '../../client/client.js';
import { AgentError } from '../../errors/agent-error.js';
import type { AgentEvent } from '../../protocol/events.js';
import type { TokenStatusInfo } from '../../protocol/methods.js';
import { withAgent } from '../agent-session.js';
import type { CommandResult } from '../command.js';
import type { CliContext } from '../context.js';
import { tokenTable } from './agent-status.js';

/** Nobody tells the agent that a token was inserted: it has to be asked to look. Milliseconds. */
const LOOK_EVERY_MS = 2_000;

/** One change; a line of --json. */
type Change =
  | {
      readonly what: 'state';
      readonly token: string;
      readonly before: string;
      readonly state: string;
      readonly reason?: string;
    }
  | { readonly what: 'unlocked'; readonly token: string; readonly expiresAt: string }
  | { readonly what: 'locked'; readonly token: string; readonly reason: string }
  | { readonly what: 'wanted'; readonly token: string; readonly secondsLeft: number }
  | { readonly what: 'touch-needed'; readonly token: string; readonly secondsLeft: number }
  | {
      readonly what: 'pin-alert';
      readonly token: string;
      readonly by: 'driver' | 'other';
      readonly before: number;
      readonly after: number;
    };

/** @throws AgentError `agent.stopping` or `agent.unreachable` when the agent ends */
export function tokenWatch(context: CliContext): Promise<CommandResult> {
  return withAgent(context, (client) => new TokenWatch(context).run(client), { noteWaits: false });
}

class TokenWatch {
  readonly #context: CliContext;
  readonly #states = new Map<string, TokenStatusInfo['state']>();
  #isStopping = false;
  #hasReader = true;

  constructor(context: CliContext) {
    this.#context = context;
  }

  async run(client: AgentClient): Promise<CommandResult> {
    // First, so that nothing happens unseen between the list and what follows it.
    await client.call('events.subscribe', {});
    const { tokens } = await client.call('tokens.list', {});
    for (const { name, state } of tokens) this.#states.set(name, state);
    this.#print(tokens.length === 0 ? 'no token is configured' : tokenTable(tokens), { tokens });
    client.onEvent((event) => {
      this.#hear(event);
    });
    while (this.#hasReader) {
      await sleep(LOOK_EVERY_MS);
      if (this.#isStopping) throw new AgentError('agent.stopping');
      for (const token of (await client.call('tokens.list', { glance: true })).tokens) this.#compare(token);
    }
    return { json: {}, text: '' };
  }

  #hear(event: AgentEvent): void {
    switch (event.event) {
      case 'token':
        this.#compare(event.token);
        return;
      case 'unlocked':
        this.#show({ what: 'unlocked', token: event.token, expiresAt: event.expiresAt });
        return;
      case 'locked':
        this.#show({ what: 'locked', token: event.token, reason: event.reason });
        return;
      case 'touch-needed':
        this.#show({ what: 'touch-needed', token: event.token, secondsLeft: event.secondsLeft });
        return;
      case 'pin-alert': {
        const { token, by, before, after } = event;
        this.#show({ what: 'pin-alert', token, by, before, after });
        return;
      }
      case 'token-absent':
        this.#show({ what: 'wanted', token: event.token, secondsLeft: event.secondsLeft });
        return;
      case 'stopping':
        this.#isStopping = true;
        return;
      case 'waiting':
      case 'setup':
      case 'policy':
        return;
    }
  }

  #compare({ name, state, reason }: TokenStatusInfo): void {
    const before = this.#states.get(name);
    if (before === state) return;
    this.#states.set(name, state);
    this.#show({
      what: 'state',
      token: name,
      before: before ?? 'absent',
      state,
      ...(reason === undefined ? {} : { reason: reason.message }),
    });
  }

  #show(change: Change): void {
    const time = new Date().toISOString().replace(/\.\d{3}Z$/, 'Z');
    this.#print(`${time} ${change.token}: ${changeWords(change)}`, { time, ...change });
  }

  #print(text: string, json: object): void {
    this.#hasReader = this.#context.print(this.#context.flags.json ? JSON.stringify(json) : text);
  }
}

function changeWords(change: Change): string {
  switch (change.what) {
    case 'state': {
      const why = change.reason === undefined ? '' : ` (${change.reason})`;
      return `${change.state}, was ${change.before}${why}`;
    }
    case 'unlocked':
      return `a lease began, until ${change.expiresAt}`;
    case 'locked':
      return `a lease ended (${change.reason})`;
    case 'wanted':
      return `a command waits ${change.secondsLeft} s for it to be inserted`;
    case 'touch-needed':
      return `waits ${change.secondsLeft} s for a touch`;
    case 'pin-alert': {
      const who = change.by === 'driver' ? 'its driver' : 'another program';
      return `ALERT: ${who} used up tries of the PIN, ${change.before} before, ${change.after} now`;
    }
  }
}
