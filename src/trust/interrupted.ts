/** What an earlier command left unended: what it needs to be ended, and how it is taken back. */
import { AgentError } from '../errors/agent-error.js';
import type { RootDocument } from '../formats/notary1/document.js';
import { readSignedBytes } from '../formats/notary1/reader.js';
import { Draft, type PublishedState } from './draft.js';
import type { PendingPublish } from './journal.js';
import type { MetadataSource } from './metadata-source.js';
import type { RoleSigner } from './role-signer.js';
import { versionFacts } from './standing.js';

/** What a snapshot needs to know of a publish. */
export type SnapshotView = Pick<Draft, 'base' | 'dropped' | 'membersOf'>;

/** That, of an earlier process. */
export function snapshotView(pending: PendingPublish, base: PublishedState | undefined): SnapshotView {
  const draft = new Draft(base);
  const root = rootOf(pending);
  if (root !== undefined) draft.setRoot(root);
  for (const role of pending.dropped) draft.drop(role);
  return draft;
}

/** What was begun with keys that are not here now can only be ended with them. */
export function unended(words: string, repository: string, cause: unknown): unknown {
  if (!(cause instanceof AgentError)) return cause;
  const orDrop = `drop what it began: touchstone trust reset ${repository}`;
  if (cause.code === 'key.locked') {
    return new AgentError('key.locked', {
      message: `ending what was interrupted (${words}): ${cause.message}`,
      hint: `unlock its token, or ${orDrop}`,
      cause,
    });
  }
  if (cause.code !== 'key.unknown') return cause;
  return new AgentError('notary.keys', {
    message: `ending what was interrupted (${words}): a key that it needs is not here`,
    hint: `run that command again, or ${orDrop}`,
    cause,
  });
}

/**
 * The server does not take it, whatever it is. Versions that were signed are jumped over, but for that of a root, which has to follow the
 * one before: it is given free where the server does not have it. Answers what the person has to know.
 * @throws AgentError `notary.…` of the server
 */
export async function takeBack(
  pending: PendingPublish,
  { source, signer }: { readonly source: MetadataSource; readonly signer: RoleSigner },
  reason: AgentError,
): Promise<readonly string[]> {
  const { repository } = source;
  const told = `what was begun (${pending.words}) is taken back: ${reason.message}`;
  const root = pending.documents.find(({ role }) => role === 'root');
  // What people signed in a ceremony is not taken back by whoever publishes it.
  const isOurs = root !== undefined && root.signatures.length > 0;
  if (!isOurs || (await source.fetch('root', { version: root.version })) !== undefined) return [told];
  try {
    await signer.abandon(repository, versionFacts(root));
    return [told];
  } catch (cause) {
    if (!(cause instanceof AgentError)) throw cause;
    const way = `the owner of the agent gives it free: touchstone guard abandon '${repository}#root'`;
    return [told, `version ${root.version} of root stays signed (${cause.message}); ${way}`];
  }
}

function rootOf({ documents }: PendingPublish): RootDocument | undefined {
  const root = documents.find(({ role }) => role === 'root');
  return root === undefined
    ? undefined
    : readSignedBytes(root.signedBytes, 'root', 'reading the pending root', 'notary.document');
}
