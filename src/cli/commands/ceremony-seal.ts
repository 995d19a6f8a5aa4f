/** `touchstone ceremony seal`: holders who signed here put their name under the transcript. */
import { closeNetwork } from '../../ceremony/network-guard.js';
import { sealers, sealTurn } from '../../ceremony/seal-turn.js';
import { requireClosed } from '../../ceremony/sealing.js';
import { requireGood } from '../../ceremony/session.js';
import { verifyCeremony } from '../../ceremony/verifying.js';
import { sealCount } from '../../ceremony/vouching.js';
import { withAgent } from '../agent-session.js';
import { openCeremony, ownLinesOf, renderTranscript } from '../ceremony-session.js';
import { hashText, sealText } from '../ceremony-text.js';
import type { CommandResult, Invocation } from '../command.js';
import type { CliContext } from '../context.js';
import { holderToken, possessive, type TokenRoom } from '../holder-token.js';
import { pinSource } from '../pin.js';
import { placesOf } from '../places.js';
import { enterPin } from './unlock.js';

/** Seals with the tokens of all who signed here, or of those who are named, once everything was replayed: a seal says to the next ceremony that it holds. @throws AgentError `ceremony.order`, `token.…` */
export async function ceremonySeal(
  context: CliContext,
  { args, options }: Invocation,
): Promise<CommandResult> {
  using session = openCeremony(args[0]);
  requireClosed(session);
  session.requireReady(await ownLinesOf(context));
  requireGood(verifyCeremony(session.folder).checks);
  const { socket } = await placesOf(context);
  closeNetwork(socket);
  const source = pinSource(context, options);
  const useLastTry = options.text('use-last-try');
  const sealed = await withAgent(context, (client) =>
    sealAll({ context, session, client, source }, options.list('holder'), useLastTry),
  );
  renderTranscript(session);
  const manifest = session.folder.seal();
  const count = sealCount(session.transcript.lines, session.facts);
  const text = [
    `${sealed.length === 0 ? 'nobody is left to seal' : `sealed by ${sealed.join(', ')}`}\n${sealText(count)}`.trimEnd(),
    hashText('MANIFEST', manifest),
  ].join('\n\n');
  return { json: { sealed, manifest, count: count ?? null }, text };
}

async function sealAll(
  room: TokenRoom,
  named: readonly string[],
  useLastTry: string | undefined,
): Promise<readonly string[]> {
  const { context, session, client, source } = room;
  const done: string[] = [];
  for (const held of sealers(session, named.length === 0 ? undefined : named)) {
    const found = await holderToken(room, held, named.length > 0);
    if (found === undefined) continue;
    context.note(`${possessive(held.holder)} token (serial ${held.serial}) seals the transcript`);
    const parts = { session, client, readPin: source.read, useLastTry };
    await enterPin(
      context,
      () => source.interactive,
      () => sealTurn(parts, found),
    );
    done.push(held.holder);
  }
  return done;
}
