/**
 * The embedded token: finds the SoftHSM driver and writes a private configuration for it. An existing SoftHSM set-up is
 * neither read nor written; the token itself is initialised later, through the driver.
 */
import { chmodSync, existsSync, lstatSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { AgentError } from '../errors/agent-error.js';
import { errnoOf } from './errno.js';
import { writeFileAtomic } from './store/atomic-file.js';

export interface EmbeddedToken {
  /** Absolute path of the driver. */
  readonly module: string;
  /** Absolute path of softhsm2.conf, for SOFTHSM2_CONF. */
  readonly conf: string;
}

const PRIVATE_FOLDER_MODE = 0o700;
const TEMPLATE = new URL('../../softhsm-config/softhsm2.conf.template', import.meta.url);

/** Where distributions put the driver: Debian and Ubuntu, Fedora, Arch and openSUSE, Homebrew. */
const MODULE_PLACES: readonly string[] = [
  '/usr/lib/softhsm/libsofthsm2.so',
  '/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so',
  '/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so',
  '/usr/lib64/pkcs11/libsofthsm2.so',
  '/usr/lib64/softhsm/libsofthsm2.so',
  '/usr/lib/pkcs11/libsofthsm2.so',
  '/usr/local/lib/softhsm/libsofthsm2.so',
  '/opt/homebrew/lib/softhsm/libsofthsm2.so',
];

/**
 * The first of the usual places that has the driver.
 * @throws AgentError `token.module-missing`
 */
export function findSoftHsm(places: readonly string[] = MODULE_PLACES): string {
  const found = places.find((place) => existsSync(place));
  if (found !== undefined) return found;
  throw new AgentError('token.module-missing', {
    message: 'looking for SoftHSM: libsofthsm2.so is in none of the usual places',
    hint: 'install it, on Debian and Ubuntu with "apt install softhsm2"',
    details: { places },
  });
}

/**
 * Makes `folder` (0700) with softhsm2.conf (0600) and an empty token store in it.
 * @param folder absolute; must not exist yet, or be an empty folder of ours
 * @throws AgentError `usage.path-relative`, `usage.invalid`, `config.exists`, `token.module-missing`, `state.write`
 */
export function provisionSoftHsm(folder: string, module: string = findSoftHsm()): EmbeddedToken {
  requireUsablePath(folder);
  const tokens = join(folder, 'tokens');
  const conf = join(folder, 'softhsm2.conf');
  try {
    makeEmptyFolder(folder);
    mkdirSync(tokens, { mode: PRIVATE_FOLDER_MODE });
    writeFileAtomic(
      conf,
      readFileSync(TEMPLATE, 'utf8').replace('@TOKENS@', () => tokens),
    );
  } catch (cause) {
    if (cause instanceof AgentError) throw cause;
    throw new AgentError('state.write', {
      message: `making the token store ${folder}: ${errnoOf(cause)}`,
      details: { path: folder },
      cause,
    });
  }
  return { module, conf };
}

/** SoftHSM's configuration has no quoting: these characters would end or change the value. */
function requireUsablePath(folder: string): void {
  if (!isAbsolute(folder)) {
    throw new AgentError('usage.path-relative', {
      message: `token store "${folder}": an absolute path is needed`,
    });
  }
  if (/[#=\p{Cc}]|\s$/u.test(folder)) {
    throw new AgentError('usage.invalid', {
      message:
        'token store: the path holds a character that softhsm2.conf cannot hold (#, = or a control character)',
    });
  }
}

function makeEmptyFolder(folder: string): void {
  mkdirSync(folder, { recursive: true, mode: PRIVATE_FOLDER_MODE });
  const facts = lstatSync(folder);
  if (!facts.isDirectory() || facts.uid !== process.getuid?.() || readdirSync(folder).length > 0) {
    throw new AgentError('config.exists', {
      message: `token store ${folder}: it is not an empty folder of yours`,
      hint: 'choose another state folder; nothing was changed',
      details: { path: folder },
    });
  }
  chmodSync(folder, PRIVATE_FOLDER_MODE);
}
