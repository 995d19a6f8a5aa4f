/** `touchstone init`: the first touchstone.toml and policy.toml. Needs no PIN and touches no token; "token setup" does that. */
import { existsSync, mkdirSync } from 'node:fs';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { defaultConfig, type NewToken } from '../../config/default-config.js';
import { parseConfig } from '../../config/document.js';
import type { Pkcs11TokenConfig } from '../../config/token-document.js';
import { AgentError } from '../../errors/agent-error.js';
import { defaultPolicy } from '../../policy/default-policy.js';
import type { AgentPaths } from '../../platform/paths.js';
import { findSoftHsm, provisionSoftHsm } from '../../platform/softhsm.js';
import { writeFileAtomic } from '../../platform/store/atomic-file.js';
import type { CommandResult, Invocation } from '../command.js';
import type { CliContext } from '../context.js';
import type { OptionValues } from '../option-values.js';
import { placesOf } from '../places.js';

const PRIVATE_FOLDER = 0o700;
const PRIVATE_FILE = 0o600;
const ON_REMOVAL = ['keep', 'lock'] as const;
const MAX_SERIAL = 2 ** 32 - 1;

/** Writes both files, or says with --dry-run what they would hold. */
export async function init(context: CliContext, invocation: Invocation): Promise<CommandResult> {
  const { options } = invocation;
  const places = await placesOf(context);
  for (const file of [places.configFile, places.policyFile]) {
    if (existsSync(file)) throw new AgentError('config.exists', { message: `${file} already exists` });
  }
  const softhsm = join(places.stateDir, 'softhsm');
  const token = tokenOf(options, softhsm);
  const domain = options.text('domain') ?? hostname().toLowerCase();
  const config = defaultConfig({ domain, tokens: [token] });
  // Whatever the agent would refuse later is refused now, before anything is written.
  parseConfig(config, places.configFile);
  const json = { configFile: places.configFile, policyFile: places.policyFile, domain, token };
  if (options.flag('dry-run')) {
    const text = `# ${places.configFile}\n${config}\n# ${places.policyFile}\n${defaultPolicy()}`;
    return { json: { ...json, written: false }, text: text.trimEnd() };
  }
  write(places, config, token, softhsm);
  context.note('touchstone: next: "touchstone agent start", then "touchstone token setup"');
  return {
    json: { ...json, written: true },
    text: `written: ${places.configFile}\nwritten: ${places.policyFile}`,
  };
}

function tokenOf(options: OptionValues, softhsm: string): NewToken {
  const pinFile = options.text('pin-file');
  const pin: NewToken['pin'] =
    pinFile === undefined ? { source: 'person' } : { source: 'file', path: pinFile };
  const any = {
    name: options.text('name') ?? 'release',
    onRemoval: options.choice('on-removal', ON_REMOVAL) ?? 'keep',
    pin,
  };
  const serial = options.integer('yubikey', { min: 1, max: MAX_SERIAL });
  const embedded = options.flag('softhsm');
  if (serial === undefined) {
    const home = embedded ? embeddedToken(options, any.name, softhsm) : ownToken(options);
    return { kind: 'pkcs11', ...any, ...home, embedded };
  }
  if (embedded || options.text('token') !== undefined) {
    throw new AgentError('usage.invalid', {
      message: 'option --yubikey: it names the token, so --softhsm and --token do not go with it',
    });
  }
  return { kind: 'yubikey-piv', ...any, serial: String(serial), module: options.text('module'), env: {} };
}

function embeddedToken(
  options: OptionValues,
  name: string,
  softhsm: string,
): Pick<Pkcs11TokenConfig, 'module' | 'uri' | 'env'> {
  if (options.text('token') !== undefined) {
    throw new AgentError('usage.invalid', { message: 'options --softhsm and --token: only one can be used' });
  }
  return {
    module: options.text('module') ?? findSoftHsm(),
    uri: `pkcs11:token=${encodeURIComponent(name)}`,
    env: { SOFTHSM2_CONF: join(softhsm, 'softhsm2.conf') },
  };
}

function ownToken(options: OptionValues): Pick<Pkcs11TokenConfig, 'module' | 'uri' | 'env'> {
  const module = options.text('module');
  const uri = options.text('token');
  if (module !== undefined && uri !== undefined) return { module, uri, env: {} };
  throw new AgentError('usage.invalid', {
    message: 'no token was named',
    hint: 'give --yubikey SERIAL, --module PATH and --token URI, or --softhsm',
  });
}

/** The configuration comes last: as long as it is missing, init can be run again. */
function write(places: AgentPaths, config: string, token: NewToken, softhsm: string): void {
  makeFolder(places.stateDir);
  makeFolder(dirname(places.configFile));
  if (token.kind === 'pkcs11' && token.embedded) provisionSoftHsm(softhsm, token.module);
  writeFileAtomic(places.policyFile, defaultPolicy(), PRIVATE_FILE);
  writeFileAtomic(places.configFile, config, PRIVATE_FILE);
}

function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true, mode: PRIVATE_FOLDER });
  } catch (cause) {
    throw new AgentError('state.write', {
      message: `making the folder ${folder}: ${(cause as NodeJS.ErrnoException).code ?? 'failed'}`,
      cause,
    });
  }
}
