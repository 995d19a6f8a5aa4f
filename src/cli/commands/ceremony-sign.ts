/** `touchstone ceremony sign`: one token after the other, each found by serial number and key, one PIN for each. */
import type { HolderToken } from '../../ceremony/holder.js';
import { closeNetwork } from '../../ceremony/network-guard.js';
import { remainingTurns, signTurn, type TokenTurn } from '../../ceremony/signing.js';
import { withAgent } from '../agent-session.js';
import { openCeremony, ownLinesOf } from '../ceremony-session.js';
import { boardText } from '../ceremony-text.js';
import type { CommandResult, Invocation } from '../command.js';
import type { CliContext } from '../context.js';
import { holderToken, possessive, type TokenRoom } from '../holder-token.js';
import { pinSource } from '../pin.js';
import { placesOf } from '../places.js';
import { counted } from '../table.js';
import { enterPin } from './unlock.js';

/** Signs with the tokens of everybody who is expected, or of those who are named. @throws AgentError `ceremony.…`, `token.…` */
export async function ceremonySign(
  context: CliContext,
  { args, options }: Invocation,
): Promise<CommandResult> {
  using session = openCeremony(args[0]);
  session.requireReady(await ownLinesOf(context));
  const { socket } = await placesOf(context);
  closeNetwork(socket);
  const source = pinSource(context, options);
  const useLastTry = options.text('use-last-try');
  const named = options.list('holder');
  const files = await withAgent(context, (client) =>
    signAll({ context, session, client, source }, named, useLastTry),
  );
  const rows = session.board();
  return {
    json: { made: files, board: rows, complete: rows.every(({ isMet }) => isMet) },
    text: `${counted(files.length, 'signature')} made\n\n${boardText(rows, session.facts.holders)}`,
  };
}

async function signAll(
  room: TokenRoom,
  named: readonly string[],
  useLastTry: string | undefined,
): Promise<readonly string[]> {
  const { context, session, client, source } = room;
  const files: string[] = [];
  const turns = remainingTurns(session, named.length === 0 ? undefined : named);
  for (const turn of turns) {
    const found = await holderToken(room, turn.held, named.length > 0);
    if (found === undefined) continue;
    context.note(announcement(turn, found));
    const parts = { session, client, readPin: source.read, useLastTry };
    const made = await enterPin(
      context,
      () => source.interactive,
      () => signTurn(parts, turn, found),
    );
    files.push(...made);
    // After the last one the command ends with it.
    if (turn !== turns.at(-1)) context.note(boardText(session.board(), session.facts.holders));
    context.note(`Remove ${possessive(turn.held.holder)} token.`);
  }
  return files;
}

function announcement({ held, documents }: TokenTurn, { status }: HolderToken): string {
  const what = documents.map(({ order }) => `${order.id} v${order.version}`);
  const more = what.length > 3 ? ` and ${what.length - 3} more` : '';
  const model = status.model?.trim() ?? held.model;
  return `${possessive(held.holder)} token (${model}, serial ${held.serial}) signs ${what.slice(0, 3).join(', ')}${more}`;
}
