/** `touchstone trust list`: what a trusted pull finds, or what single roles hold. */
import { factsOf, signedTags, signerName, type SignedTag } from '../../trust/approvals.js';
import { visibleTargets, type Collection } from '../../trust/collection.js';
import { customText } from '../../trust/file-target.js';
import { parseTrustReference } from '../../trust/repository-name.js';
import type { CommandResult, Invocation } from '../command.js';
import type { CliContext } from '../context.js';
import { renderTable } from '../table.js';
import { openTrust, readCollection } from '../trust-session.js';
import { requireRole } from '../trust-target.js';

const SHOWN_CUSTOM = 60;

/** Tags and files of a repository. */
export async function trustList(context: CliContext, { options, args }: Invocation): Promise<CommandResult> {
  const { repository } = parseTrustReference(args[0] ?? '');
  const collection = await readCollection(context, await openTrust(context, options, repository));
  const roles = options.list('role');
  if (roles.length > 0) return listRoles(collection, roles);
  const tags = signedTags(collection);
  const text = renderTags('signers', tags, ({ approvals }) =>
    approvals.length === 0 ? '-' : approvals.map(({ role }) => signerName(role)).join(', '),
  );
  return { json: { repository, tags }, text };
}

type Listed = Pick<SignedTag, 'tag' | 'digest' | 'size' | 'sha512' | 'custom'>;

interface RoleTarget extends Listed {
  readonly role: string;
}

/** What roles hold, in the order given; of a tag in several the first counts. @throws AgentError `notary.role` */
function targetsIn(collection: Collection, roles: readonly string[]): readonly RoleTarget[] {
  const found = new Map<string, RoleTarget>();
  for (const role of roles) {
    requireRole(collection, role);
    for (const [tag, target] of visibleTargets(collection, role)) {
      if (!found.has(tag)) found.set(tag, { tag, ...factsOf(target), role });
    }
  }
  return [...found.values()].sort((a, b) => (a.tag < b.tag ? -1 : 1));
}

function listRoles(collection: Collection, roles: readonly string[]): CommandResult {
  const tags = targetsIn(collection, roles);
  const text = renderTags('role', tags, ({ role }) => role);
  return { json: { repository: collection.repository, tags }, text };
}

/** The last column is there only where somebody has written custom data. */
function renderTags<T extends Listed>(column: string, tags: readonly T[], cell: (tag: T) => string): string {
  if (tags.length === 0) return 'nothing is signed';
  const header = ['tag', 'digest', 'size', column];
  const rows = tags.map((one) => [one.tag, one.digest, String(one.size), cell(one)]);
  if (tags.every(({ custom }) => custom === undefined)) return renderTable(header, rows);
  const shown = tags.map(({ custom }) => customCell(custom));
  return renderTable(
    [...header, 'custom'],
    rows.map((row, at) => [...row, shown[at] ?? '']),
  );
}

function customCell(custom: unknown): string {
  const text = customText(custom) ?? '';
  return text.length <= SHOWN_CUSTOM ? text : `${text.slice(0, SHOWN_CUSTOM - 1)}…`;
}
