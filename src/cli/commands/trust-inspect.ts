/** `touchstone trust inspect`: everything that is signed in a repository, and by whom. */
import { printable } from '../../encoding/utf8.js';
import type { SignedTag } from '../../trust/approvals.js';
import { signedTags, signerName } from '../../trust/approvals.js';
import type { Collection } from '../../trust/collection.js';
import { dockerView, type DockerView } from '../../trust/docker-view.js';
import { parseTrustReference } from '../../trust/repository-name.js';
import { roleViews, type RoleView } from '../../trust/role-view.js';
import { FIRST_USE } from '../../trust/root-chain.js';
import type { CommandResult, Invocation } from '../command.js';
import type { CliContext } from '../context.js';
import type { OptionValues } from '../option-values.js';
import { eachRepository } from '../several-repositories.js';
import { renderFields, renderTable } from '../table.js';
import { openTrust, readCollection } from '../trust-session.js';

const DOCKER_INDENT = 4;
const SHOWN_TAG = 128;
const SHOWN_ID = 12;

/** Repositories, or single tags of them. With --docker the document is a list, as docker prints it. */
export async function trustInspect(
  context: CliContext,
  { options, args }: Invocation,
): Promise<CommandResult> {
  if (!options.flag('docker'))
    return eachRepository(context, args, (name) => inspect(context, options, name));
  const views: DockerView[] = [];
  const inspected = await eachRepository(context, args, async (name) => {
    const { repository, tag } = parseTrustReference(name);
    const collection = await readCollection(context, await openTrust(context, options, repository));
    views.push(dockerView(collection, name, tag));
    return { json: {}, text: '' };
  });
  return { ...inspected, json: views, text: JSON.stringify(views, null, DOCKER_INDENT) };
}

async function inspect(context: CliContext, options: OptionValues, name: string): Promise<CommandResult> {
  const { repository, tag } = parseTrustReference(name);
  const collection = await readCollection(context, await openTrust(context, options, repository));
  const tags = signedTags(collection).filter((one) => tag === undefined || one.tag === tag);
  const roles = roleViews(collection);
  const { anchor, warnings } = collection;
  const json = { repository, anchor, tags, roles, warnings };
  return { json, text: renderCollection(collection, tags, roles) };
}

function renderCollection(
  { repository, anchor }: Collection,
  tags: readonly SignedTag[],
  roles: readonly RoleView[],
): string {
  const head = renderFields([
    ['repository', repository],
    ['root', anchor === FIRST_USE ? 'trusted at first use' : `pinned by ${anchor}`],
  ]);
  const signed =
    tags.length === 0
      ? 'nothing is signed'
      : renderTable(['tag', 'digest', 'size', 'from', 'signed by'], tags.map(tagRow));
  const differing = tags.flatMap(({ tag, others }) =>
    others.map(({ role, digest }) => `note: ${role} holds ${printable(tag, SHOWN_TAG)} as ${digest}`),
  );
  const table = renderTable(
    ['role', 'version', 'expires', 'threshold', 'keys (* has signed)'],
    roles.map(roleRow),
  );
  return [head, '', signed, ...differing, '', table].join('\n');
}

function tagRow({ tag, digest, size, from, approvals }: SignedTag): readonly string[] {
  const signers = approvals.map(({ role, keys }) => `${signerName(role)} (${keys.map(shortId).join(' ')})`);
  return [tag, digest, String(size), from, signers.join(', ') || '-'];
}

function roleRow({ role, version, expires, threshold, keys, paths, problem }: RoleView): readonly string[] {
  const isNarrow = paths !== undefined && !paths.includes('');
  const shown = keys.map(({ id, canonicalId, signed }) => {
    // docker and pins name root keys by their certificate.
    const short = shortId(role === 'root' ? id : canonicalId);
    return signed ? `${short}*` : short;
  });
  return [
    isNarrow ? `${role} (${paths.map((path) => `${path}*`).join(' ')})` : role,
    version === undefined ? '-' : String(version),
    problem === undefined ? (expires ?? '-') : `${problem}${expires === undefined ? '' : ` (${expires})`}`,
    String(threshold),
    shown.join(' '),
  ];
}

function shortId(id: string): string {
  return id.slice(0, SHOWN_ID);
}
