/** `touchstone ceremony note`: what no program sees, written down by the scribe. */
import { AgentError } from '../../errors/agent-error.js';
import { actorOf, openCeremony } from '../ceremony-session.js';
import type { CommandResult, Invocation } from '../command.js';
import type { CliContext } from '../context.js';

const LINE = /^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}]{1,2000}$/u;

/** @throws AgentError `usage.invalid` for more than one line */
export function ceremonyNote(context: CliContext, { args, options }: Invocation): Promise<CommandResult> {
  const [folder, ...words] = args;
  const text = words.join(' ');
  const reason = options.text('deviation');
  if (!LINE.test(text) || (reason !== undefined && !LINE.test(reason))) {
    throw new AgentError('usage.invalid', { message: 'writing a note: one line of text is needed' });
  }
  using session = openCeremony(folder);
  const event =
    reason === undefined
      ? ({ event: 'note', text } as const)
      : ({ event: 'deviation', text, reason } as const);
  const { seq, hash } = session.transcript.add(actorOf(context, options, session), event);
  return Promise.resolve({ json: { line: seq, hash }, text: `line ${seq}` });
}
