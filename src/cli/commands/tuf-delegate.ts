/** `touchstone tuf delegate FOLDER ROLE`. */
import { AgentError } from '../../errors/agent-error.js';
import type { TufTargets } from '../../formats/tuf/document.js';
import type { TufKey } from '../../formats/tuf/key.js';
import { withBins, withDelegation, withoutDelegation } from '../../trust/tuf/delegation-change.js';
import { checkRoleName, keyRoleOf } from '../../trust/tuf/roles.js';
import type { CommandResult, Invocation } from '../command.js';
import type { CliContext } from '../context.js';
import type { OptionValues } from '../option-values.js';
import { defaultKeys, namedKeys } from '../tuf-keys.js';
import { requireState, tufResult, withTuf, type TufSession } from '../tuf-session.js';

const MAX_BITS = 14;
const MAX_THRESHOLD = 64;

/** Publishes the delegating role, and a first document of the new one. */
export async function tufDelegate(
  context: CliContext,
  { options, args }: Invocation,
): Promise<CommandResult> {
  const [path = '', name = ''] = args;
  checkRoleName(name);
  const from = options.text('from') ?? 'targets';
  return withTuf(context, options, path, async (session) => {
    const document = await changed(session, options, { name, from });
    const report = await session.publisher.publish({ targets: new Map([[from, document]]) });
    return tufResult(context, session, report, { role: name, from });
  });
}

interface Named {
  readonly name: string;
  readonly from: string;
}

async function changed(
  session: TufSession,
  options: OptionValues,
  { name, from }: Named,
): Promise<TufTargets> {
  const state = requireState(session);
  const bits = options.integer('bins', { min: 1, max: MAX_BITS });
  const paths = options.list('path');
  const threshold = options.integer('threshold', { min: 1, max: MAX_THRESHOLD });
  if (options.flag('remove')) return withoutDelegation(state, from, name);
  if (bits !== undefined && paths.length > 0) {
    throw new AgentError('usage.invalid', { message: 'options --bins and --path: only one can be used' });
  }
  const isKnown = state.roles.get(name)?.delegator === from;
  const keys = await delegatedKeys(session, options, { name, isKnown });
  if (bits !== undefined)
    return withBins(state, from, { prefix: name, bits, keys, threshold: threshold ?? 1 });
  const terminating = options.flag('terminating') ? true : options.isOff('terminating') ? false : undefined;
  return withDelegation(state, from, { name, keys, threshold, paths, terminating });
}

/** A role that is there keeps its keys unless others are named. */
async function delegatedKeys(
  { signer, publisher, settings }: TufSession,
  options: OptionValues,
  { name, isKnown }: { readonly name: string; readonly isKnown: boolean },
): Promise<readonly TufKey[]> {
  const purpose = { repository: settings.repository, role: keyRoleOf({ name }) };
  const texts = options.list('key');
  if (texts.length > 0) return namedKeys(signer, texts, purpose);
  return isKnown ? [] : defaultKeys(signer, publisher.held, purpose);
}
