/**
 * The rules of docs/architecture.md for imports: floors, walls, homes of third-party packages and the folders that
 * do no input or output. A rule returns sentences, one for each import that breaks it.
 */
import path from 'node:path';
import type { Floor } from './floor-table.js';
import type { SourceFile } from './source-tree.js';

/** Folders (or single modules) that a folder never reaches, whatever their floors. */
const WALLS: Readonly<Record<string, readonly string[]>> = {
  client: ['agent', 'keeper', 'tokenhost', 'token', 'state'],
  registry: ['agent', 'keeper', 'tokenhost', 'token', 'state'],
  gateways: ['agent', 'keeper', 'tokenhost', 'token', 'state'],
  trust: ['agent', 'keeper', 'tokenhost', 'token', 'state'],
  images: ['agent', 'keeper', 'tokenhost', 'token', 'state'],
  ceremony: ['agent', 'keeper', 'tokenhost', 'token', 'state'],
  cli: ['agent', 'keeper', 'tokenhost', 'token', 'state'],
};

/** The only modules of a folder that another folder may import. */
const GATES: readonly { readonly from: string; readonly to: string; readonly only: readonly string[] }[] = [
  { from: 'agent', to: 'keeper', only: ['keeper/wire.js'] },
];

/** Folders that only one other folder imports. */
const SOLE_IMPORTERS: Readonly<Record<string, string>> = { token: 'tokenhost' };

const PURE_FOLDERS = new Set(['policy', 'audit', 'formats', 'keys', 'crypto']);

/** Node modules that reach disk, network, other processes, clocks or the machine. */
const IO_MODULES = new Set(
  'child_process cluster dgram dns fs http http2 https inspector net os readline repl tls tty worker_threads'.split(
    ' ',
  ),
);

/** All sentences about `files`, which lie below a folder named `src`. */
export function checkImports(
  files: readonly SourceFile[],
  floors: ReadonlyMap<string, Floor>,
): readonly string[] {
  return files.flatMap((source) => {
    const folder = source.file.split('/')[0] ?? '';
    const floor = floors.get(folder);
    if (floor === undefined) return [`${source.file}: folder ${folder} has no floor`];
    return source.imports.flatMap((specifier) =>
      judgeImport(source.file, floor, specifier, floors).map(
        (reason) => `${source.file} imports ${specifier}: ${reason}`,
      ),
    );
  });
}

function judgeImport(
  file: string,
  from: Floor,
  specifier: string,
  floors: ReadonlyMap<string, Floor>,
): readonly string[] {
  if (specifier.startsWith('node:')) return judgeBuiltin(from, specifier);
  if (!specifier.startsWith('.')) return judgePackage(from, packageName(specifier));
  const target = path.posix.normalize(path.posix.join(path.posix.dirname(file), specifier));
  if (target.startsWith('../')) return judgePackage(from, target.split('/')[1] ?? target);
  return judgeFolder(from, target, floors);
}

function judgeBuiltin(from: Floor, specifier: string): readonly string[] {
  const name = specifier.slice('node:'.length).split('/')[0] ?? '';
  return PURE_FOLDERS.has(from.folder) && IO_MODULES.has(name) ? [`${from.folder} does no I/O`] : [];
}

function judgePackage(from: Floor, name: string): readonly string[] {
  return from.packages.includes(name) ? [] : [`${name} has no home in ${from.folder}`];
}

function packageName(specifier: string): string {
  const parts = specifier.split('/');
  return specifier.startsWith('@') ? parts.slice(0, 2).join('/') : (parts[0] ?? specifier);
}

function judgeFolder(from: Floor, target: string, floors: ReadonlyMap<string, Floor>): readonly string[] {
  const folder = target.split('/')[0] ?? '';
  if (folder === from.folder) return [];
  const to = floors.get(folder);
  if (to === undefined) return [`folder ${folder} has no floor`];
  const reasons: string[] = [];
  if (to.floor >= from.floor) reasons.push(`floor ${to.floor} is not below floor ${from.floor}`);
  if (WALLS[from.folder]?.includes(folder) === true)
    reasons.push(`a wall keeps ${from.folder} from ${folder}`);
  const gate = GATES.find((each) => each.from === from.folder && each.to === folder);
  if (gate?.only.includes(target) === false)
    reasons.push(`only ${gate.only.join(', ')} is open to ${from.folder}`);
  const sole = SOLE_IMPORTERS[folder];
  if (sole !== undefined && sole !== from.folder) reasons.push(`only ${sole} imports ${folder}`);
  return reasons;
}
