/** Form: names, patterns, fields and sizes that every client reads the same way. */
import { signedBytesOf } from '../../formats/notary1/writer.js';
import type { TufDelegations } from '../../formats/tuf/document.js';
import { lintTuf, type LintFinding } from '../../formats/tuf/linter.js';
import type { DocumentFacts } from '../facts.js';
import { repositoryOf } from '../payload.js';
import { fail, pass, perDocument, type Check } from './check.js';

const ROLE_NAME = /^[a-z][a-z0-9-]*$/;
/** `host:port/path` in lower case, as registries name repositories. */
const REPOSITORY_NAME = /^[a-z0-9][a-z0-9.:_/-]{0,254}$/;
/** What clients read of a file of each role, bytes. */
const MAX_BYTES = { root: 512_000, targets: 5_000_000 } as const;
/** One signature with its key id, as a file holds it. Bytes. */
const SIGNATURE_BYTES = 300;

/** Names of delegated roles and of repositories. */
export const nameCharset: Check = perDocument(
  'NAME-CHARSET',
  'names are ones that every client reads',
  ({ order, proposed }, { policy }) => {
    const { content } = proposed;
    if (content.format !== 'tuf') {
      return REPOSITORY_NAME.test(repositoryOf(order.id))
        ? undefined
        : 'the name of the repository has other characters';
    }
    const allowed = new Set(policy.value.characters.roles);
    const wrong = delegatedRoles(proposed).find(
      ({ name }) => !ROLE_NAME.test(name) || !consistsOf(name, allowed),
    );
    return wrong === undefined
      ? undefined
      : `the role ${JSON.stringify(wrong.name).slice(0, 60)} has other characters`;
  },
);

/** Patterns that every client matches alike: no braces, no negation, no double stars. */
export const patternCharset: Check = perDocument(
  'PATTERN-CHARSET',
  'patterns of paths are ones that every client matches alike',
  ({ proposed }, { policy }) => {
    const allowed = new Set(policy.value.characters.paths);
    const paths = delegatedRoles(proposed).flatMap((role) => role.paths ?? []);
    const wrong = paths.find((path) => path === '' || path.includes('**') || !consistsOf(path, allowed));
    return wrong === undefined
      ? undefined
      : `the pattern ${JSON.stringify(wrong).slice(0, 60)} is matched differently by clients`;
  },
);

/** Fields as the format has them; what the base had already may stay. */
export const fieldProfile: Check = perDocument(
  'FIELD-PROFILE',
  'its fields are those that every client reads',
  ({ base, proposed }) => {
    const { content, payload } = proposed;
    if (content.format === 'notary1') {
      return signedBytesOf(content.document).equals(payload)
        ? undefined
        : 'it holds a field that a notary-server would drop';
    }
    if (content.format === 'certificate') return undefined;
    const known = new Set(findingsOf(base.at(-1)?.document).map(textOf));
    const found = findingsOf(proposed).find((one) => !known.has(textOf(one)));
    return found === undefined ? undefined : `${found.rule}: ${found.where}: ${found.message}`;
  },
);

/** With all signatures that can come it is not larger than clients read. */
export const sizeLimits: Check = (facts) =>
  facts.documents.map(({ order, proposed }) => {
    const signers = facts.holders.keys().length;
    const most = proposed.payload.length * 2 + signers * SIGNATURE_BYTES;
    return most <= MAX_BYTES[order.role]
      ? pass('SIZE-LIMITS', order.id, `${proposed.payload.length} bytes to sign`)
      : fail(
          'SIZE-LIMITS',
          order.id,
          `with signatures it can have ${most} bytes, clients read ${MAX_BYTES[order.role]}`,
        );
  });

function findingsOf(document: DocumentFacts['proposed'] | undefined): readonly LintFinding[] {
  if (document?.content.format !== 'tuf') return [];
  return lintTuf({ signed: document.content.document, signatures: [] });
}

function textOf({ rule, where }: LintFinding): string {
  return `${rule} ${where}`;
}

function consistsOf(text: string, allowed: ReadonlySet<string>): boolean {
  return Array.from(text).every((one) => allowed.has(one));
}

function delegatedRoles({ content }: DocumentFacts['proposed']): NonNullable<TufDelegations['roles']> {
  if (content.format !== 'tuf' || content.document.type !== 'targets') return [];
  return content.document.delegations?.roles ?? [];
}
