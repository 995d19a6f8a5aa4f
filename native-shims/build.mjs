/**
 * Builds the native shim with node-gyp. Where npm is not told where node's headers are, and they lie beside the running
 * node (prefix/include/node), those are used: exactly its own version, and no download.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const folder = dirname(fileURLToPath(import.meta.url));
const prefix = dirname(dirname(realpathSync(process.execPath)));
const told = Object.keys(process.env).some((name) => name.toLowerCase() === 'npm_config_nodedir');
const beside = !told && existsSync(join(prefix, 'include', 'node', 'node_api.h'));
const nodeGyp = createRequire(import.meta.url).resolve('node-gyp/bin/node-gyp.js');

const built = spawnSync(
  process.execPath,
  [nodeGyp, 'rebuild', '--directory', folder, '--silent', ...(beside ? [`--nodedir=${prefix}`] : [])],
  { stdio: ['ignore', 'pipe', 'inherit'], encoding: 'utf8' },
);
if (built.status !== 0) {
  process.stderr.write(built.stdout);
  process.exitCode = 1;
}
