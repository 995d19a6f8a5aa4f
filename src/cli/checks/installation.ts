/** What is installed: the runtime, our native code, the drivers that the configuration names. */
import { accessSync, constants, statSync } from 'node:fs';
import type { Config } from '../../config/document.js';
import { asAgentError } from '../../errors/agent-error.js';
import { nativeShims } from '../../platform/native-shims.js';
import { fail, ok, type Check } from './check.js';

const NEEDED_NODE = [20, 19] as const;

/** Runtime and native shim. */
export function checkInstallation(): readonly Check[] {
  return [checkNode(process.versions.node), checkShim()];
}

/** One check per token with a PKCS#11 module: is it there and readable. */
export function checkDrivers(config: Config): readonly Check[] {
  return config.tokens.flatMap((token) =>
    'module' in token && token.module !== undefined ? [checkModule(token.name, token.module)] : [],
  );
}

function checkModule(token: string, module: string): Check {
  const name = `driver of ${token}`;
  try {
    accessSync(module, constants.R_OK);
    if (statSync(module).isFile()) return ok(name, module);
  } catch {
    // Missing and unreadable have the same fix.
  }
  return fail(name, `${module} cannot be read`, `install the driver, or correct module of token "${token}"`);
}

/** `version` as in process.versions.node. */
export function checkNode(version: string): Check {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const isNew = major > NEEDED_NODE[0] || (major === NEEDED_NODE[0] && minor >= NEEDED_NODE[1]);
  if (isNew) return ok('node', version);
  return fail('node', `${version} is too old`, `install Node ${NEEDED_NODE.join('.')} or newer`);
}

function checkShim(): Check {
  try {
    const facts = nativeShims().hardeningFacts();
    return ok('native shim', `loaded, no_new_privs ${facts.noNewPrivs}`);
  } catch (thrown) {
    const error = asAgentError(thrown);
    return fail('native shim', error.message, error.hint);
  }
}
