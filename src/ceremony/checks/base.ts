/** What the ceremony begins with: is it the right thing, whole, and the newest. */
import { keyIdsOf } from '../authority.js';
import type { CeremonyFacts, DocumentFacts } from '../facts.js';
import { POLICY_FILE, policyOutput } from '../file-names.js';
import { closedIn, notNewest, notNewestAuthority } from '../newest.js';
import { signersOf, type SignedFile } from '../signed-file.js';
import type { TranscriptLine } from '../transcript-line.js';
import { fail, pass, perDocument, type Check, type CheckResult } from './check.js';

/** The policy is the one that the request was made for. */
export const policyHash: Check = ({ request, policy }) => [
  request.value.policy === policy.sha256
    ? pass('POLICY-HASH', '', 'the policy is the one that the request names')
    : fail('POLICY-HASH', 'policy.json', 'the request names another policy'),
];

/** Every base is the file that the request names. */
export const baseHash: Check = perDocument(
  'BASE-HASH',
  'the base is the one that the request names',
  (document) => {
    const { order, base, authority } = document;
    return wrongFile(order.base, base.at(-1)) ?? wrongFile(order.authority, authority);
  },
);

/** Earlier roots follow one from the other, signed by enough keys. */
export const baseThreshold: Check = perDocument(
  'BASE-THRESHOLD',
  'what came before is signed by enough of its keys',
  (document) => brokenStep(document.order.role === 'root' ? document.base : []) ?? unsignedTargets(document),
);

/** Everything that this ceremony begins with is the newest that the one before it knew: bases, the roots they go by, and the policy. */
export const baseLatest: Check = (facts) => [
  ...facts.documents.flatMap((document) => latestDocument(document, facts)),
  ...latestPolicy(facts),
];

function latestDocument(
  { order, base, authority }: DocumentFacts,
  facts: CeremonyFacts,
): readonly CheckResult[] {
  const newest = base.at(-1);
  const good =
    newest === undefined ? 'it has none before it' : 'it is the newest after the ceremony before this one';
  const own = judged(order.id, good, notNewest(order.id, newest, facts));
  if (authority === undefined) return [own];
  const { version } = authority.document;
  const problem = notNewestAuthority(authority, facts);
  const said = problem === undefined ? undefined : `root ${version}, which it goes by: ${problem}`;
  return [own, judged(order.id, `root ${version}, which it goes by, is the newest`, said)];
}

/** The policy says whose key is whose: one that somebody prepared would put other keys under the names of holders. */
function latestPolicy({ previous, request, policy }: CeremonyFacts): readonly CheckResult[] {
  const good = 'it is what the ceremony before this one left';
  if (previous === undefined || request.value.previous === null) {
    if (policy.value.holders.length === 0) return [];
    const problem = 'it names holders, and no transcript of an earlier ceremony says that they are';
    return [judged(POLICY_FILE, good, problem)];
  }
  const names = request.value.rehearsal ? [policyOutput(false), policyOutput(true)] : [policyOutput(false)];
  const problem = 'the ceremony before this one left another policy';
  return [judged(POLICY_FILE, good, policyLeft(previous, names) === policy.sha256 ? undefined : problem)];
}

/** SHA-256 of the policy after a ceremony: the one that it made, else the one that it went by. Lines after its end are under no seal. */
function policyLeft(previous: readonly TranscriptLine[], names: readonly string[]): string | undefined {
  const end = closedIn(previous);
  if (end === undefined) return undefined;
  const before = previous.slice(0, end.line.seq);
  const opened = before.flatMap(({ event }) => (event.event === 'opened' ? [event.policy] : []));
  return end.closed.outputs.find(({ file }) => names.includes(file))?.sha256 ?? opened.at(-1);
}

function judged(subject: string, good: string, problem: string | undefined): CheckResult {
  return problem === undefined ? pass('BASE-LATEST', subject, good) : fail('BASE-LATEST', subject, problem);
}

/** The new version is one higher, in the request and in the document. */
export const versionNext: Check = perDocument('VERSION-NEXT', 'the version is the next one', (document) => {
  const { order, base, proposed } = document;
  const next = (base.at(-1)?.document.version ?? 0) + 1;
  if (order.version !== next) return `version ${next} is next, the request says ${order.version}`;
  return proposed.version === next
    ? undefined
    : `version ${next} is next, the document says ${proposed.version}`;
});

function wrongFile(
  named: { readonly version: number; readonly sha256: string } | null,
  file: SignedFile | undefined,
): string | undefined {
  if (named === null)
    return file === undefined ? undefined : 'there is a file that the request does not name';
  if (file === undefined) return 'it is not there';
  if (file.sha256 !== named.sha256) return 'it is another file';
  return file.document.version === named.version ? undefined : `it is version ${file.document.version}`;
}

/** The first root of a chain that lacks signatures of its own keys or of those before it. */
export function brokenStep(chain: readonly SignedFile[]): string | undefined {
  for (const [at, file] of chain.entries()) {
    const { version, authority } = file.document;
    const before = chain[at - 1]?.document;
    if (before !== undefined && version !== before.version + 1)
      return `root ${version} does not follow root ${before.version}`;
    for (const by of [before?.authority, authority]) {
      if (by === undefined) continue;
      const good = signersOf(file, by.root).length;
      if (good < by.root.threshold) return `root ${version} has ${good} of ${by.root.threshold} signatures`;
    }
    if (authority === undefined || keyIdsOf(authority.root).length === 0)
      return `root ${version} names no keys`;
  }
  return undefined;
}

function unsignedTargets({ order, base, authority }: DocumentFacts): string | undefined {
  if (order.format === 'certificate') return authority === undefined ? undefined : brokenStep([authority]);
  if (order.role === 'root') return undefined;
  const keys = authority?.document.authority;
  if (authority === undefined || keys === undefined) return 'the root that names its keys is not there';
  const broken = brokenStep([authority]);
  if (broken !== undefined) return broken;
  const file = base.at(-1);
  if (file === undefined) return undefined;
  const good = signersOf(file, keys.targets).length;
  return good >= keys.targets.threshold
    ? undefined
    : `the targets have ${good} of ${keys.targets.threshold} signatures`;
}
