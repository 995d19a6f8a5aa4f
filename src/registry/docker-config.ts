/**
 * Credentials for registries, from where docker, podman and cosign keep them: `config.json` with its `auths`, and the
 * credential helper programs it names. Secrets stay in memory for one command and never reach a log or an error.
 */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseJsonStrict } from '../encoding/json.js';
import { AgentError } from '../errors/agent-error.js';

export type Credential =
  | { readonly kind: 'password'; readonly user: string; readonly password: string }
  | { readonly kind: 'identity-token'; readonly token: string };

export interface ConfigPlace {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly home: string;
}

/** The name under which docker files its own registry. */
const DOCKER_HUB = 'https://index.docker.io/v1/';
/** What a helper says as user when the secret is an identity token. */
const TOKEN_USER = '<token>';
const HELPER_MS = 10_000;
const MAX_HELPER_OUTPUT = 64 * 1024;

/**
 * The credential for a registry as it is written in references, or undefined.
 * @throws AgentError `config.invalid` when config.json is broken, `registry.denied` when a helper fails
 */
export async function findCredential(registry: string, place: ConfigPlace): Promise<Credential | undefined> {
  const config = readConfig(place);
  if (config === undefined) return undefined;
  const names = registry === 'docker.io' ? [DOCKER_HUB, registry] : [registry, `https://${registry}`];
  const helpers = fieldsOf(config['credHelpers']);
  const helper = names.map((name) => helpers[name]).find((each) => typeof each === 'string');
  const store = helper ?? config['credsStore'];
  if (typeof store === 'string' && store !== '') {
    const found = await askHelper(store, names[0] ?? registry, place);
    if (found !== undefined) return found;
  }
  const auths = fieldsOf(config['auths']);
  return names.map((name) => storedCredential(fieldsOf(auths[name]))).find((each) => each !== undefined);
}

/** Extra authorities that docker keeps for one registry: `certs.d/HOST:PORT/ca.crt`, PEM. */
export function registryAuthority(registry: string, place: ConfigPlace): string | undefined {
  const folders = [join(place.home, '.docker', 'certs.d'), '/etc/docker/certs.d'];
  return folders
    .map((folder) => readIfThere(join(folder, registry, 'ca.crt')))
    .find((pem) => pem !== undefined);
}

function readConfig(place: ConfigPlace): Readonly<Record<string, unknown>> | undefined {
  const folder = place.env['DOCKER_CONFIG'] ?? '';
  const file = join(folder === '' ? join(place.home, '.docker') : folder, 'config.json');
  const text = readIfThere(file);
  return text === undefined
    ? undefined
    : fieldsOf(parseJsonStrict(text, `reading ${file}`, 'config.invalid'));
}

function storedCredential(auth: Readonly<Record<string, unknown>>): Credential | undefined {
  const token = auth['identitytoken'];
  if (typeof token === 'string' && token !== '') return { kind: 'identity-token', token };
  const encoded = auth['auth'];
  if (typeof encoded !== 'string' || encoded === '') return undefined;
  const decoded = Buffer.from(encoded, 'base64').toString('utf8');
  const colon = decoded.indexOf(':');
  if (colon <= 0) return undefined;
  return { kind: 'password', user: decoded.slice(0, colon), password: decoded.slice(colon + 1) };
}

/** docker-credential-helpers: the registry on standard input, `{"Username","Secret"}` on standard output. */
function askHelper(name: string, server: string, place: ConfigPlace): Promise<Credential | undefined> {
  if (!/^[A-Za-z0-9._-]+$/.test(name)) {
    throw new AgentError('config.invalid', {
      message: 'config.json of docker: the name of a credential helper is not valid',
    });
  }
  const program = `docker-credential-${name}`;
  return new Promise((resolve, reject) => {
    const options = { env: { ...place.env }, timeout: HELPER_MS, maxBuffer: MAX_HELPER_OUTPUT } as const;
    const child = execFile(program, ['get'], options, (error, stdout) => {
      if (error === null) {
        resolve(helperAnswer(program, stdout));
      } else if (stdout.includes('credentials not found')) {
        resolve(undefined);
      } else {
        reject(
          new AgentError('registry.denied', { message: `asking ${program} for credentials: it failed` }),
        );
      }
    });
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(`${server}\n`);
  });
}

function helperAnswer(program: string, stdout: string): Credential {
  const answer = fieldsOf(parseJsonStrict(stdout, `asking ${program} for credentials`, 'registry.denied'));
  const { Username: user, Secret: secret } = answer;
  if (typeof user !== 'string' || typeof secret !== 'string') {
    throw new AgentError('registry.denied', {
      message: `asking ${program} for credentials: no user and secret came`,
    });
  }
  return user === TOKEN_USER
    ? { kind: 'identity-token', token: secret }
    : { kind: 'password', user, password: secret };
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : {};
}

function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw new AgentError('usage.file', { message: `reading ${file}: ${code ?? 'failed'}`, cause });
  }
}
