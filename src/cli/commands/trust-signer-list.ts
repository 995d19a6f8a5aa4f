/** `touchstone trust signer list REPOSITORY`. */
import { DELEGATION_PREFIX } from '../../formats/notary1/role-name.js';
import { memberIds } from '../../trust/delegation-changes.js';
import { RELEASES } from '../../formats/notary1/role-name.js';
import { parseTrustReference } from '../../trust/repository-name.js';
import type { CommandResult, Invocation } from '../command.js';
import type { CliContext } from '../context.js';
import { renderTable } from '../table.js';
import { openTrust, readCollection } from '../trust-session.js';

const SHOWN_HEX = 16;

/** Who may sign, with which keys, and whether what they sign is released. */
export async function trustSignerList(
  context: CliContext,
  { options, args }: Invocation,
): Promise<CommandResult> {
  const { repository } = parseTrustReference(args[0] ?? '');
  const collection = await readCollection(context, await openTrust(context, options, repository));
  const { document } = collection.targets;
  const releasing = new Set(memberIds(document, RELEASES));
  const signers = document.delegations.roles
    .filter(({ name }) => name !== RELEASES)
    .map(({ name, threshold, paths }) => {
      const keys = memberIds(document, name);
      const fault = collection.faults.get(name)?.problem ?? null;
      return {
        name: name.slice(DELEGATION_PREFIX.length),
        role: name,
        threshold,
        paths,
        keys,
        releases: keys.some((id) => releasing.has(id)),
        fault,
      };
    });
  const rows = signers.map(({ name, keys, releases, fault, paths }) => [
    paths.includes('') ? name : `${name} (${paths.map((path) => `${path}*`).join(' ')})`,
    releases ? 'yes' : 'no',
    fault === 'not-published' ? 'has signed nothing yet' : (fault ?? ''),
    keys.map((id) => id.slice(0, SHOWN_HEX)).join(' '),
  ]);
  const text = rows.length === 0 ? '' : renderTable(['signer', 'releases', 'fault', 'keys'], rows);
  return { json: { repository, signers, releaseKeys: [...releasing] }, text };
}
