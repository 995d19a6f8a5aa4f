/** Ceremonies played with software keys: prepared, opened, signed and closed in a folder of a test. */
import { join } from 'node:path';
import type { CeremonyAction } from '../../src/ceremony/action.js';
import { closeCeremony, type Closed } from '../../src/ceremony/closing.js';
import { CeremonyFolder } from '../../src/ceremony/folder.js';
import type { CeremonyPolicy } from '../../src/ceremony/policy.js';
import { prepareCeremony, type Preparation } from '../../src/ceremony/preparing.js';
import { sealMessage } from '../../src/ceremony/seal.js';
import { sealFactsOf, takeSeal } from '../../src/ceremony/sealing.js';
import { CeremonySession } from '../../src/ceremony/session.js';
import { TOOL_ACTOR } from '../../src/ceremony/transcript.js';
import { CREATED, EXPIRES, TODAY } from './ceremony-dates.js';
import { onlineKey, TEST_POLICY, type SoftwareHolder } from './software-holder.js';

export interface PaperFolder {
  readonly path: string;
  readonly folder: CeremonyFolder;
}

/** The action of a first root with these holders. */
export function initAction(
  holders: readonly SoftwareHolder[],
  threshold: number,
  targets: readonly string[] = [onlineKey()],
): CeremonyAction {
  return {
    type: 'init',
    enters: holders.map(({ keyId }) => keyId),
    threshold,
    online: (['targets', 'snapshot', 'timestamp'] as const).map((role) => ({
      document: null,
      role,
      publicKeys: role === 'targets' ? targets : [onlineKey()],
      threshold: role === 'targets' ? targets.length : 1,
    })),
  };
}

/** A folder that is ready to be opened: a root of TUF unless other documents are given. */
export function prepared(
  path: string,
  change: Partial<Preparation> & Pick<Preparation, 'action'>,
  entering: readonly SoftwareHolder[] = [],
): PaperFolder {
  const id = change.id ?? 'acme-root-1';
  const folder = CeremonyFolder.create(path);
  prepareCeremony(folder, {
    id,
    rehearsal: false,
    reason: 'a test',
    created: CREATED,
    expires: EXPIRES,
    policy: TEST_POLICY,
    enrolments: entering.map((one) => one.enrolment(id)),
    previous: null,
    signers: entering.map(({ name }) => name),
    documents: [{ id: 'root', format: 'tuf', role: 'root', base: [], authority: null }],
    ...change,
  });
  return { path, folder };
}

/** Opens it as `ceremony open` and `review` do. */
export function openedSession(path: string, today = TODAY): CeremonySession {
  const session = CeremonySession.open(path, today);
  const { request, policy } = session.facts;
  session.transcript.add(TOOL_ACTOR, {
    event: 'opened',
    ceremony: request.value.id,
    tool: 'test',
    toolSha256: '0'.repeat(64),
    node: process.version,
    system: 'test',
    request: request.sha256,
    policy: policy.sha256,
    manifest: '0'.repeat(64),
    today,
    participants: [],
  });
  session.transcript.add('alice', { event: 'confirmed', what: request.sha256, typed: '' });
  return session;
}

/** Has these holders sign one after the other, closes, and has them seal. @param sealers those who signed when left out */
export function signedAndClosed(
  { path }: PaperFolder,
  signers: readonly SoftwareHolder[],
  sealers = signers,
): Closed {
  using session = openedSession(path);
  waive(session, 'BASE-LATEST', 'alice');
  for (const holder of signers) {
    for (const file of holder.signatures(session.facts)) session.take(file, 'made');
  }
  const closed = closeCeremony(session, false);
  for (const holder of sealers) seal(session, holder);
  return { ...closed, manifest: session.folder.seal() };
}

/** Has a holder seal a closed ceremony. */
export function seal(session: CeremonySession, by: SoftwareHolder): void {
  const facts = sealFactsOf(session.transcript.lines, session.facts);
  if (facts === undefined) throw new Error('it is not closed');
  const { name: holder, keyId } = by;
  takeSeal(session, { holder, keyId, signature: by.sign(sealMessage(facts)) });
}

/** Writes into the transcript that somebody answers for a failed check. */
export function waive(session: CeremonySession, check: string, by: string): void {
  session.transcript.add(by, { event: 'check', check, subject: '', result: 'WAIVED', says: 'in a test', by });
}

/** What the next ceremony begins with: base, policy and transcript of this one. */
export function afterwards(
  { folder }: PaperFolder,
  version: number,
): { readonly root: Buffer; readonly policy: CeremonyPolicy; readonly previous: Buffer } {
  const policy = JSON.parse(folder.require('out/policy.json').toString('utf8')) as CeremonyPolicy;
  return {
    root: folder.require(join('out', `${version}.root.json`)),
    policy,
    previous: folder.require('transcript.jsonl'),
  };
}
