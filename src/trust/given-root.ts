/**
 * A root that was signed elsewhere, by people with tokens of their own: published as it is, with what the agent has to sign beside it.
 * Whatever does not fit is found before anything is signed.
 */
import { AgentError, asAgentError } from '../errors/agent-error.js';
import type { RootDocument } from '../formats/notary1/document.js';
import type { NotaryKey } from '../formats/notary1/key.js';
import type { SignedDocument } from '../formats/notary1/reader.js';
import { checkRootCertificate } from '../formats/notary1/root-certificate.js';
import { Draft, type PublishedState } from './draft.js';
import { checkSignatures, isExpired } from './file-check.js';
import type { Plan } from './publisher.js';
import { isWithinReach } from './reach.js';
import type { RoleKey } from './role-signer.js';
import { requireServerKeys, type KeyServer } from './server-keys.js';

export interface GivenRoot {
  readonly root: SignedDocument<RootDocument>;
  /** Signed bytes of the version that it was made from; undefined for a first root. */
  readonly from: Buffer | undefined;
}

/**
 * Publishes the root: of a new repository with empty targets, of another one with whatever has new keys. Nothing is done when it is in force
 * already.
 * @throws AgentError `ceremony.import` when it does not fit repository or server, `notary.threshold`, `notary.keys`
 */
export function givenRootPlan(server: KeyServer, given: GivenRoot): Plan {
  return async ({ base, keys }) => {
    const draft = new Draft(base);
    if (base?.root.signedBytes.equals(given.root.signedBytes) === true) return draft;
    requireOwn(server.repository, given.root);
    requireNext(server.repository, given, base);
    draft.giveRoot(given.root);
    await requireServerKeys(server, draft, keys);
    if (base === undefined || hasNewKeys(draft, base, 'targets')) {
      requireLeaf(server.repository, draft, keys);
      draft.edit('targets', (document) => document);
    } else if (isExpired(base.targets.document, Date.now())) {
      draft.note(`targets has expired: touchstone trust heal ${server.repository}`);
    }
    return draft;
  };
}

/** Certificates of this repository, and enough of their keys have signed. */
function requireOwn(repository: string, root: SignedDocument<RootDocument>): void {
  const { keys, roles, version } = root.document;
  for (const id of roles.root.keyids) {
    const key = keys.get(id);
    if (key !== undefined) requireCertified(key, repository);
  }
  checkSignatures(`version ${version} of root by its own keys`, root, roles.root, keys);
}

function requireCertified(key: NotaryKey, repository: string): void {
  try {
    checkRootCertificate(key, repository, Date.now());
  } catch (thrown) {
    const { message } = asAgentError(thrown);
    throw unfit(
      message,
      `a new ceremony needs other certificates: touchstone ceremony enrol NAME --repository ${repository}`,
    );
  }
}

/** It follows the root in force. */
function requireNext(repository: string, { root, from }: GivenRoot, base: PublishedState | undefined): void {
  const { version } = root.document;
  const there = base?.root.document.version ?? 0;
  if (version <= there) {
    const what = version === there ? `another root ${version}` : `root ${there}`;
    throw unfit(
      `${repository} has ${what} already`,
      `see whose with "touchstone trust inspect ${repository}"; a new ceremony begins with the root that is there`,
    );
  }
  if (version > there + 1) {
    throw unfit(
      `${repository} has ${there === 0 ? 'no root' : `root ${there}`}, and this is root ${version}`,
      `import the ceremony that made root ${there + 1} first`,
    );
  }
  if (base === undefined) return;
  if (from?.equals(base.root.signedBytes) !== true) {
    throw unfit(
      `root ${there} of ${repository} is not the one that this root was made from`,
      'prepare the ceremony again with --base and the root that is there',
    );
  }
  checkSignatures(
    `version ${version} of root by the keys before it`,
    root,
    base.root.document.roles.root,
    base.root.document.keys,
  );
}

function hasNewKeys(draft: Draft, base: PublishedState, role: string): boolean {
  const before = new Set(new Draft(base).canonicalIdsOf(role));
  const now = draft.canonicalIdsOf(role);
  return now.length !== before.size || now.some((id) => !before.has(id));
}

function requireLeaf(repository: string, draft: Draft, keys: readonly RoleKey[]): void {
  if (isWithinReach(draft, 'targets', keys)) return;
  throw new AgentError('notary.keys', {
    message: `publishing ${repository}: the root gives targets to keys of which this agent has too few`,
    hint: `do it where those keys are, or have a root made with what "touchstone trust online-keys ${repository}" writes`,
    details: { role: 'targets' },
  });
}

function unfit(problem: string, hint: string): AgentError {
  return new AgentError('ceremony.import', { message: `publishing a root: ${problem}`, hint });
}
