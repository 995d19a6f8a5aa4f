/** A node process that sees a file system of its own at one folder: small, or read-only. Root, or a user namespace, is enough. */
import path from 'node:path';
import { MOUNT_NAMESPACE } from './mount-namespace.js';
import { NativeChild } from './native-child.js';
import { PROJECT_ROOT } from './project-root.js';

export interface SmallDisk {
  /** An existing folder, covered for this process only. */
  readonly folder: string;
  /** As mount(8) takes it for tmpfs, for example `size=64k`. */
  readonly options: string;
}

/** `script` may use DIST (URL of the built project), and what NativeChild gives it; the folder is its first argument. */
export function childOnSmallDisk(script: string, disk: SmallDisk): NativeChild {
  const mount = 'mount -t tmpfs -o "$1" tmpfs "$2" && shift 2 && exec "$@"';
  return new NativeChild(withDist(script), {
    through: [...MOUNT_NAMESPACE, 'sh', '-c', mount, 'sh', disk.options, disk.folder],
    args: [disk.folder],
  });
}

/** Makes DIST known to a script. */
export function withDist(script: string): string {
  const dist = `file://${path.join(PROJECT_ROOT, 'dist')}`;
  return `const DIST = ${JSON.stringify(dist)};\n${script}`;
}
