/** Waiting for a holder's token in the room: who sits there is told which one to insert. */
import { setTimeout as delay } from 'node:timers/promises';
import { findHolderToken, type HolderToken } from '../ceremony/holder.js';
import type { HeldKey } from '../ceremony/holder-book.js';
import type { CeremonySession } from '../ceremony/session.js';
import { noteRefused } from '../ceremony/token-work.js';
import type { AgentClient } from '../client/client.js';
import { AgentError } from '../errors/agent-error.js';
import type { CliContext } from './context.js';
import type { PinSource } from './pin.js';

/** People look for their token. Milliseconds. */
const INSERT_MS = 300_000;
const LOOK_EVERY_MS = 1_000;

export interface TokenRoom {
  readonly context: CliContext;
  readonly session: CeremonySession;
  readonly client: AgentClient;
  readonly source: PinSource;
}

/**
 * Waits for a token while somebody sits there; else those who are not there are passed over, unless they were named.
 * @throws AgentError `token.absent`, `ceremony.token`
 */
export async function holderToken(
  room: TokenRoom,
  held: HeldKey,
  isNamed: boolean,
): Promise<HolderToken | undefined> {
  const { context, source } = room;
  const first = await lookFor(room, held);
  if (first !== undefined) return first;
  const whose = `${possessive(held.holder)} token (serial ${held.serial})`;
  if (source.interactive) {
    context.note(`Insert ${whose}.`);
    const end = Date.now() + INSERT_MS;
    while (Date.now() < end) {
      await delay(LOOK_EVERY_MS);
      const found = await lookFor(room, held);
      if (found !== undefined) return found;
    }
  }
  const missing = `${whose} is not there`;
  if (isNamed || source.interactive) throw new AgentError('token.absent', { message: missing });
  context.warn(`touchstone: ${missing}; it is passed over`);
  return undefined;
}

/** `Alice's` */
export function possessive(holder: string): string {
  return `${holder.charAt(0).toUpperCase()}${holder.slice(1)}'s`;
}

async function lookFor({ client, session }: TokenRoom, held: HeldKey): Promise<HolderToken | undefined> {
  try {
    return await findHolderToken(client, held);
  } catch (thrown) {
    if (thrown instanceof AgentError && thrown.code === 'ceremony.token') noteRefused(session, held, thrown);
    throw thrown;
  }
}
