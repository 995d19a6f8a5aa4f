/** `touchstone ceremony sign`: one token after the other, each found by serial number and key, one PIN for each. */
import { setTimeout as delay } from 'node:timers/promises';
import { findHolderToken, type HolderToken } from '../../ceremony/holder.js';
import { closeNetwork } from '../../ceremony/network-guard.js';
import type { CeremonySession } from '../../ceremony/session.js';
import { noteRefused, remainingTurns, signTurn, type TokenTurn } from '../../ceremony/signing.js';
import type { AgentClient } from '../../client/client.js';
import { AgentError } from '../../errors/agent-error.js';
import { withAgent } from '../agent-session.js';
import { openCeremony } from '../ceremony-session.js';
import { boardText } from '../ceremony-text.js';
import type { CommandResult, Invocation } from '../command.js';
import type { CliContext } from '../context.js';
import { pinSource, type PinSource } from '../pin.js';
import { placesOf } from '../places.js';
import { counted } from '../table.js';
import { enterPin } from './unlock.js';

/** People look for their token. Milliseconds. */
const INSERT_MS = 300_000;
const LOOK_EVERY_MS = 1_000;

interface Room {
  readonly context: CliContext;
  readonly session: CeremonySession;
  readonly client: AgentClient;
  readonly source: PinSource;
  readonly useLastTry: string | undefined;
}

/** Signs with the tokens of everybody who is expected, or of those who are named. @throws AgentError `ceremony.…`, `token.…` */
export async function ceremonySign(
  context: CliContext,
  { args, options }: Invocation,
): Promise<CommandResult> {
  using session = openCeremony(args[0]);
  session.requireReady();
  const { socket } = await placesOf(context);
  closeNetwork(socket);
  const source = pinSource(context, options);
  const useLastTry = options.text('use-last-try');
  const named = options.list('holder');
  const files = await withAgent(context, (client) =>
    signAll({ context, session, client, source, useLastTry }, named),
  );
  const rows = session.board();
  const { holders } = session.facts;
  return {
    json: { made: files, board: rows, complete: rows.every(({ isMet }) => isMet) },
    text: `${counted(files.length, 'signature')} made\n\n${boardText(rows, holders)}`,
  };
}

async function signAll(room: Room, named: readonly string[]): Promise<readonly string[]> {
  const { context, session, client, source, useLastTry } = room;
  const files: string[] = [];
  for (const turn of remainingTurns(session, named.length === 0 ? undefined : named)) {
    const found = await tokenOf(room, turn, named.length > 0);
    if (found === undefined) continue;
    context.note(announcement(turn, found));
    const { readPin } = { readPin: source.read };
    const made = await enterPin(
      context,
      () => source.interactive,
      () => signTurn({ session, client, readPin, useLastTry }, turn, found),
    );
    files.push(...made);
    context.note(boardText(session.board(), session.facts.holders));
    context.note(`Remove ${possessive(turn.held.holder)} token.`);
  }
  return files;
}

/** Waits for a token while somebody sits there; else those who are not there are passed over, unless they were named. */
async function tokenOf(room: Room, turn: TokenTurn, isNamed: boolean): Promise<HolderToken | undefined> {
  const { context, source } = room;
  const { holder, serial } = turn.held;
  const first = await lookFor(room, turn);
  if (first !== undefined) return first;
  const missing = `${possessive(holder)} token (serial ${serial}) is not there`;
  if (source.interactive) {
    context.note(`Insert ${possessive(holder)} token (serial ${serial}).`);
    const end = Date.now() + INSERT_MS;
    while (Date.now() < end) {
      await delay(LOOK_EVERY_MS);
      const found = await lookFor(room, turn);
      if (found !== undefined) return found;
    }
  }
  if (isNamed || source.interactive) throw new AgentError('token.absent', { message: missing });
  context.warn(`touchstone: ${missing}; it is passed over`);
  return undefined;
}

async function lookFor({ client, session }: Room, { held }: TokenTurn): Promise<HolderToken | undefined> {
  try {
    return await findHolderToken(client, held);
  } catch (thrown) {
    if (thrown instanceof AgentError && thrown.code === 'ceremony.token') noteRefused(session, held, thrown);
    throw thrown;
  }
}

function announcement({ held, documents }: TokenTurn, { status }: HolderToken): string {
  const what = documents.map(({ order }) => `${order.id} v${order.version}`);
  const shown =
    what.length > 3 ? `${what.slice(0, 3).join(', ')} and ${what.length - 3} more` : what.join(', ');
  return `${possessive(held.holder)} token (${status.model?.trim() ?? held.model}, serial ${held.serial}) signs ${shown}`;
}

/** `Alice's` */
function possessive(holder: string): string {
  return `${holder.charAt(0).toUpperCase()}${holder.slice(1)}'s`;
}
