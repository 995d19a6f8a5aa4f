/**
 * Notary and docker load libykcs11 wherever it is installed and talk to PC/SC, which can stall a command for half a minute. Programs
 * started with these words in front see empty files in its place; nobody else does.
 */
import { existsSync, readdirSync, realpathSync } from 'node:fs';
import path from 'node:path';

function installed(): readonly string[] {
  const folders = ['/usr/lib', '/usr/lib64', '/usr/local/lib'];
  if (existsSync('/usr/lib'))
    folders.push(
      ...readdirSync('/usr/lib')
        .filter((name) => name.endsWith('-linux-gnu'))
        .map((name) => `/usr/lib/${name}`),
    );
  const files = folders
    .flatMap((folder) =>
      ['libykcs11.so', 'libykcs11.so.1', 'libykcs11.so.2'].map((name) => path.join(folder, name)),
    )
    .filter((file) => existsSync(file))
    .map((file) => realpathSync(file));
  return [...new Set(files)];
}

function wordsInFront(): readonly string[] {
  const files = installed();
  if (files.length === 0) return ['env'];
  const namespace = process.getuid?.() === 0 ? ['unshare', '-m'] : ['unshare', '-rm'];
  const mounts = files.map((file) => `mount --bind /dev/null '${file}'`);
  return [...namespace, 'sh', '-c', [...mounts, 'exec "$@"'].join(' && '), 'sh'];
}

export const WITHOUT_YKCS11: readonly string[] = wordsInFront();
