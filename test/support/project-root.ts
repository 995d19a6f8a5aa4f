/** The folder of package.json, wherever the calling code was compiled to. */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

function findProjectRoot(): string {
  let folder = path.dirname(fileURLToPath(import.meta.url));
  for (;;) {
    const manifest = path.join(folder, 'package.json');
    if (existsSync(manifest) && readFileSync(manifest, 'utf8').includes('"name": "touchstone"'))
      return folder;
    const parent = path.dirname(folder);
    if (parent === folder) throw new Error('project root: no package.json of touchstone above this file');
    folder = parent;
  }
}

/** Absolute path, without a slash at the end. */
export const PROJECT_ROOT = findProjectRoot();
