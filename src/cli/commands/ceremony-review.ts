/** `touchstone ceremony review`: what is signed, in sentences, until somebody has shown to have read it. */
import type { CeremonySession } from '../../ceremony/session.js';
import { requireGood } from '../../ceremony/session.js';
import { AgentError } from '../../errors/agent-error.js';
import { actorOf, openCeremony, ownLinesOf } from '../ceremony-session.js';
import { confirmationOf, diffText, documentSentences, hashText } from '../ceremony-text.js';
import type { CommandResult, Invocation } from '../command.js';
import type { CliContext } from '../context.js';
import type { OptionValues } from '../option-values.js';
import { readTypedLine } from '../typed-line.js';

/** @throws AgentError `ceremony.order`, `ceremony.check`, `ceremony.confirmation` */
export async function ceremonyReview(
  context: CliContext,
  { args, options }: Invocation,
): Promise<CommandResult> {
  using session = openCeremony(args[0]);
  const room = await ownLinesOf(context);
  session.requireOpened(room);
  requireGood(session.judge());
  if (options.flag('raw')) return raw(session);
  const { facts } = session;
  const shown = [diffText(facts), hashText('request', facts.request.sha256)].join('\n\n');
  const isAsked = !options.flag('show') && !session.isConfirmedIn(room);
  if (isAsked) {
    await confirm(context, session, options, shown);
    room.note(session.transcript.head);
  }
  const isConfirmed = session.isConfirmedIn(room);
  const documents = facts.documents.map((one) => ({
    id: one.order.id,
    sentences: documentSentences(one, facts.holders),
  }));
  const json = { request: facts.request.sha256, documents, confirmed: isConfirmed };
  const said = isConfirmed
    ? 'It is confirmed; "touchstone ceremony sign" is next.'
    : 'It is not confirmed yet.';
  return { json, text: isAsked ? said : `${shown}\n\n${said}` };
}

/** The canonical bytes, every one of them as it is signed. */
function raw({ facts }: CeremonySession): CommandResult {
  const payloads = facts.documents.map(({ order, proposed }) => ({
    id: order.id,
    payload: proposed.payload.toString('utf8'),
  }));
  return { json: { documents: payloads }, text: payloads.map(({ payload }) => payload).join('\n') };
}

async function confirm(
  context: CliContext,
  session: CeremonySession,
  options: OptionValues,
  shown: string,
): Promise<void> {
  const given = options.text('confirm');
  const wanted = confirmationOf(session.facts);
  if (given === undefined) context.warn(shown);
  const prompt = 'To confirm, type the version number and the first two words of the request: ';
  const typed = given ?? (await readTypedLine(prompt, 'give them with --confirm "8 topmost Istanbul"'));
  const isRight = typed.trim().replaceAll(/\s+/g, ' ').toLowerCase() === wanted.toLowerCase();
  const { transcript, facts } = session;
  if (!isRight) {
    transcript.add(actorOf(context, options, session), {
      event: 'error',
      code: 'ceremony.confirmation',
      message: 'something else was typed than the version number and two words of the request',
    });
    throw new AgentError('ceremony.confirmation');
  }
  transcript.add(actorOf(context, options, session), {
    event: 'confirmed',
    what: facts.request.sha256,
    typed: wanted,
  });
}
