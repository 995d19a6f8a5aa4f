/** The source files below a folder and what each of them imports. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import ts from 'typescript';

export interface SourceFile {
  /** Path from the root of the tree, with slashes, for example `agent/sign.ts`. */
  readonly file: string;
  readonly text: string;
  readonly imports: readonly string[];
}

/** Files below `folder` whose names end in `ending`, as paths relative to it, sorted. */
export function listFiles(folder: string, ending: string): readonly string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(ending))
    .map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)).split(path.sep).join('/'))
    .sort();
}

/** Every TypeScript file below `folder`, with its static, type-only, dynamic and `require` imports. */
export function readSourceTree(folder: string): readonly SourceFile[] {
  return listFiles(folder, '.ts').map((file) => {
    const text = readFileSync(path.join(folder, file), 'utf8');
    const found = ts.preProcessFile(text, true, true);
    return { file, text, imports: found.importedFiles.map((each) => each.fileName) };
  });
}
