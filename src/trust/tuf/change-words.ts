/** What a document says, and what it changes: for whoever is asked to sign it. */
import { printable } from '../../encoding/utf8.js';
import { TOP_ROLES, type TufDocument, type TufRoot, type TufTargets } from '../../formats/tuf/document.js';

const SHOWN = 8;
const SHOWN_CHARACTERS = 100;

/** Lines of plain words. @param before the version that readers have; undefined where there is none */
export function changeWords(
  role: string,
  document: TufDocument,
  before: TufDocument | undefined,
): readonly string[] {
  const was = before === undefined ? '' : `, after version ${before.version}`;
  const head = `${role} ${document.version}${was}, expires ${document.expires}`;
  return [head, ...bodyWords(document, before).map((line) => `  ${line}`)];
}

function bodyWords(document: TufDocument, before: TufDocument | undefined): readonly string[] {
  switch (document.type) {
    case 'root':
      return rootWords(document, before?.type === 'root' ? before : undefined);
    case 'targets': {
      const known = before?.type === 'targets' ? before : undefined;
      return [...targetWords(document, known), ...delegationWords(document, known)];
    }
    case 'snapshot':
    case 'timestamp':
      return [`lists ${document.meta.size} files`];
  }
}

function rootWords(root: TufRoot, before: TufRoot | undefined): readonly string[] {
  return TOP_ROLES.flatMap((role) => {
    const { keyids, threshold } = root.roles[role];
    const known = before?.roles[role];
    const count = `${role}: ${threshold} of ${keyids.length} keys`;
    const isKept = before !== undefined && known?.threshold === threshold;
    const changes = [
      ...keyids.filter((id) => known?.keyids.includes(id) !== true).map((id) => `  + key ${id}`),
      ...(known?.keyids ?? []).filter((id) => !keyids.includes(id)).map((id) => `  - key ${id}`),
    ];
    if (isKept && changes.length === 0) return [];
    const was = known === undefined || isKept ? '' : `, was ${known.threshold} of ${known.keyids.length}`;
    return [`${count}${was}`, ...changes];
  });
}

function targetWords({ targets }: TufTargets, before: TufTargets | undefined): readonly string[] {
  const known = before?.targets ?? new Map();
  const lines: string[] = [];
  for (const [name, { hashes, length }] of targets) {
    const earlier = before?.targets.get(name);
    const { sha256 = '' } = hashes;
    if (earlier?.hashes['sha256'] === sha256 && earlier.length === length) continue;
    lines.push(`${earlier === undefined ? '+' : '~'} ${shown(name)} sha256 ${sha256}, ${length} bytes`);
  }
  for (const name of known.keys()) if (!targets.has(String(name))) lines.push(`- ${shown(String(name))}`);
  return cut(lines, `${targets.size} targets`);
}

function delegationWords({ delegations }: TufTargets, before: TufTargets | undefined): readonly string[] {
  const known = new Map((before?.delegations?.roles ?? []).map((role) => [role.name, role]));
  const lines = (delegations?.roles ?? []).flatMap((role) => {
    const { name, keyids, threshold, paths = [], terminating } = role;
    const earlier = known.get(name);
    known.delete(name);
    const isSame =
      earlier !== undefined &&
      JSON.stringify([earlier.keyids, earlier.threshold, earlier.paths, earlier.terminating]) ===
        JSON.stringify([keyids, threshold, paths, terminating]);
    if (isSame) return [];
    const sign = earlier === undefined ? '+' : '~';
    const end = terminating === true ? ', terminating' : '';
    return [
      `${sign} role ${shown(name)}: ${threshold} of ${keyids.length} keys, ${paths.map(shown).join(' ')}${end}`,
    ];
  });
  const { succinctRoles } = delegations ?? {};
  if (succinctRoles !== undefined && before?.delegations?.succinctRoles === undefined) {
    lines.push(`+ ${2 ** succinctRoles.bitLength} hash bins ${shown(succinctRoles.namePrefix)}-*`);
  }
  return [...lines, ...[...known.keys()].map((name) => `- role ${shown(name)}`)];
}

function cut(lines: readonly string[], whole: string): readonly string[] {
  if (lines.length <= SHOWN) return lines;
  return [...lines.slice(0, SHOWN), `and ${lines.length - SHOWN} more changes; ${whole} in all`];
}

function shown(text: string): string {
  return printable(text, SHOWN_CHARACTERS);
}
