/** What waits for signatures: files that some keyholders have signed, and that others may carry to the rest of them. */
import { AgentError } from '../../errors/agent-error.js';
import type { TufEnvelope, TufSignature } from '../../formats/tuf/document.js';
import { isTufSignature } from '../../formats/tuf/verify.js';
import { signedBytes } from '../../formats/tuf/writer.js';
import { readTuf } from '../../formats/tuf/reader.js';
import type { StagedFile, TufFolder } from './folder.js';
import { rootMembers, type Pending } from './pending.js';
import { isTopRole, keyRoleOf, type TufMembers } from './roles.js';
import { contentHash } from './signed-file.js';
import { loadState, tolerant, type TufState } from './state.js';
import { rootAmong } from './world.js';

/** Staged versions that come after what is published, and who has to sign them. What is no longer of use is left out. */
export function stagedDocuments(folder: TufFolder, state: TufState | undefined): readonly Pending[] {
  const files = folder.staged();
  const root = files.flatMap((file) => (file.role === 'root' ? (stagedRoot(file, state) ?? []) : []));
  const ahead = stateAhead(folder, state, files);
  if (ahead === undefined) return root;
  const others = files.flatMap((file) =>
    file.role === 'root' ? [] : (stagedTargets(file, state, ahead) ?? []),
  );
  return [...root, ...others];
}

/** With a root that is complete, and with what complete documents delegate: these roles are signed together with them. */
function stateAhead(
  folder: TufFolder,
  state: TufState | undefined,
  files: readonly StagedFile[],
): TufState | undefined {
  const root = rootAmong(files, state) ?? state?.root;
  return root === undefined ? undefined : loadState(folder, root, files);
}

/** Adds the signatures of a file to what is staged of the same content; a version that is not staged yet is begun by it. */
export function mergeStaged(
  folder: TufFolder,
  state: TufState | undefined,
  named: { readonly role: string; readonly bytes: Buffer },
): Pending {
  const { role, bytes } = named;
  const envelope = readTuf(bytes);
  const { version } = envelope.signed;
  const file: StagedFile = { role, version, path: '', bytes };
  const offered = role === 'root' ? stagedRoot(file, state) : offeredTargets(folder, state, file);
  if (offered === undefined) {
    throw new AgentError('tuf.version', {
      message: `adding ${role} ${version}: it is not a version that comes next in this repository`,
    });
  }
  const known = stagedDocuments(folder, state).find((one) => one.role === role);
  if (known === undefined) return withoutStrangers(offered);
  if (contentHash(known) !== contentHash(offered)) {
    throw new AgentError('tuf.waiting', {
      message: `adding ${role} ${version}: another content of this role waits for signatures (version ${known.document.version})`,
      hint: `drop it first if it shall not be: touchstone tuf sign FOLDER ${role} --drop`,
    });
  }
  const fresh = withoutStrangers(offered).signatures;
  const ids = new Set(fresh.map(({ keyid }) => keyid));
  return { ...known, signatures: [...known.signatures.filter(({ keyid }) => !ids.has(keyid)), ...fresh] };
}

function stagedRoot({ bytes }: StagedFile, state: TufState | undefined): Pending | undefined {
  const envelope = tolerant(() => readTuf(bytes));
  if (envelope?.signed.type !== 'root') return undefined;
  const before = state?.root.document;
  if (envelope.signed.version !== (before?.version ?? 0) + 1) return undefined;
  return pendingOf('root', envelope, rootMembers(envelope.signed, before));
}

function offeredTargets(
  folder: TufFolder,
  state: TufState | undefined,
  file: StagedFile,
): Pending | undefined {
  const ahead = stateAhead(folder, state, [...folder.staged(), file]);
  return ahead === undefined ? undefined : stagedTargets(file, state, ahead);
}

function stagedTargets(
  { role, bytes }: StagedFile,
  state: TufState | undefined,
  ahead: TufState,
): Pending | undefined {
  const known = ahead.roles.get(role);
  const envelope = tolerant(() => readTuf(bytes));
  if (known === undefined || envelope?.signed.type !== 'targets') return undefined;
  const published = state?.roles.get(role)?.newest?.document.version ?? 0;
  if (envelope.signed.version <= published) return undefined;
  return pendingOf(role, envelope, [{ keys: known.keys, role: known.role }], known.keyRole);
}

function pendingOf(
  role: string,
  { signed, signatures, raw }: TufEnvelope,
  members: readonly TufMembers[],
  keyRole = isTopRole(role) ? role : keyRoleOf({ name: role }),
): Pending {
  return { role, keyRole, document: signed, signatures, members, raw };
}

/** Only signatures that are what they say: a broken one could hide a good one. */
function withoutStrangers(pending: Pending): Pending {
  const { document, members, signatures } = pending;
  const message = signedBytes(document);
  const isGood = ({ keyid, sig }: TufSignature): boolean =>
    members.some(({ keys, role }) => {
      const key = role.keyids.includes(keyid) ? keys.get(keyid) : undefined;
      return key !== undefined && isTufSignature(key, sig, message);
    });
  return { ...pending, signatures: signatures.filter(isGood) };
}
