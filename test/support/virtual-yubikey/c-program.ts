/** Compiles the C programs of this folder with the system's compiler, against the headers of pcscd. */
import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { PROJECT_ROOT } from '../project-root.js';

const FOLDER = 'test/support/virtual-yubikey';
const FLAGS = ['-O1', '-Wall', '-Wextra', '-Werror', '-I', '/usr/include/PCSC'];
const KINDS = {
  'reader-driver.c': ['-shared', '-fPIC'],
  'pcsc-client.c': ['-lpcsclite'],
} as const;

/** Writes what was built to `target`. @throws Error that names the missing packages */
export async function compile(source: keyof typeof KINDS, target: string): Promise<void> {
  const words = [...FLAGS, '-o', target, path.join(PROJECT_ROOT, FOLDER, source), ...KINDS[source]];
  try {
    await promisify(execFile)('cc', words);
  } catch (cause) {
    throw new Error(`${source}: not built (Debian packages gcc and libpcsclite-dev)`, { cause });
  }
}
