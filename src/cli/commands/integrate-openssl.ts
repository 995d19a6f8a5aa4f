/** `touchstone integrate openssl`: a configuration of its own that adds the pkcs11 engine, with our keys behind it, to the system's. */
import { existsSync } from 'node:fs';
import { dirname, isAbsolute, join } from 'node:path';
import { AgentError } from '../../errors/agent-error.js';
import type { CommandResult, Invocation } from '../command.js';
import type { CliContext } from '../context.js';
import { integrateFile } from '../owned-file.js';
import { enabledDoor, SERVER_ADDRESS } from '../pkcs11-door.js';
import { placesOf } from '../places.js';

const FILE_NAME = 'openssl.cnf';
const MODE = 0o644;
const CLIENT_MODULES: readonly string[] = [
  '/usr/lib/x86_64-linux-gnu/pkcs11/p11-kit-client.so',
  '/usr/lib/aarch64-linux-gnu/pkcs11/p11-kit-client.so',
  '/usr/lib64/pkcs11/p11-kit-client.so',
  '/usr/lib/pkcs11/p11-kit-client.so',
  '/usr/local/lib/pkcs11/p11-kit-client.so',
  '/opt/homebrew/lib/pkcs11/p11-kit-client.so',
];
const SYSTEM_CONFIGURATIONS: readonly string[] = [
  '/usr/lib/ssl/openssl.cnf',
  '/etc/pki/tls/openssl.cnf',
  '/etc/ssl/openssl.cnf',
];

/** Writes `openssl.cnf` beside touchstone.toml; the system's own file is included, not changed. */
export async function integrateOpenssl(context: CliContext, invocation: Invocation): Promise<CommandResult> {
  const { configFile } = await placesOf(context);
  const path = join(dirname(configFile), FILE_NAME);
  const address = await enabledDoor(context);
  const module = clientModule(invocation.options.text('module'));
  return integrateFile(context, invocation, {
    file: { path, content: configuration(module), mode: MODE },
    next: [
      'next, in the shell that runs openssl:',
      `  export OPENSSL_CONF='${path}'`,
      `  export ${SERVER_ADDRESS}='${address}'`,
      "  openssl dgst -sha256 -engine pkcs11 -keyform engine -sign 'pkcs11:token=touchstone;type=private' FILE",
    ],
    facts: { address, module },
  });
}

function clientModule(named: string | undefined): string {
  if (named !== undefined && !isAbsolute(named)) {
    throw new AgentError('usage.path-relative', {
      message: `option --module: ${named} is not an absolute path`,
    });
  }
  const module = named ?? CLIENT_MODULES.find((place) => existsSync(place));
  if (module !== undefined) return module;
  throw new AgentError('usage.invalid', {
    message: 'option --module: p11-kit-client.so was not found in the usual places',
    hint: 'install p11-kit (Debian: p11-kit-modules), or give its path with --module',
  });
}

/** The system's section is opened again and gains a line, so that everything it sets up stays in force. */
function configuration(module: string): string {
  const system = SYSTEM_CONFIGURATIONS.find((place) => existsSync(place));
  return [
    'openssl_conf = openssl_init',
    ...(system === undefined ? [] : [`.include ${system}`]),
    '',
    '[openssl_init]',
    'engines = touchstone_engines',
    '',
    '[touchstone_engines]',
    'pkcs11 = touchstone_engine',
    '',
    '[touchstone_engine]',
    'engine_id = pkcs11',
    `MODULE_PATH = ${module}`,
    'init = 0',
    '',
  ].join('\n');
}
