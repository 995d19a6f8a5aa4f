/**
 * touchstone.toml as a value. Text in, value with all defaults out; every mistake is an error with line, column and
 * field. Reference: docs/spec/config.md.
 */
import { z } from 'zod';
import { tomlProblem, type SchemaIssue, type TomlSource } from '../encoding/toml-problem.js';
import { parseToml } from '../encoding/toml.js';
import { AgentError, asAgentError } from '../errors/agent-error.js';
import type { ErrorCode } from '../errors/codes.js';
import { parseKeyUri } from '../keys/key-uri.js';

/** Where the PIN of a token comes from when the agent unlocks it by itself; `person` means somebody types it. */
export type PinSource =
  | { readonly source: 'person' }
  | { readonly source: 'file'; readonly path: string }
  | { readonly source: 'credential'; readonly name: string };

export interface TokenConfig {
  readonly name: string;
  /** Absolute path of the PKCS#11 module. */
  readonly module: string;
  /** RFC 7512 URI that selects the token. */
  readonly uri: string;
  /** What happens to loaded leaves when the token is removed. */
  readonly onRemoval: 'keep' | 'lock';
  /** The agent initialises this token during setup when it is blank: the private SoftHSM of `init --softhsm`. */
  readonly embedded: boolean;
  /** Environment of the token host, besides what every process gets. */
  readonly env: Readonly<Record<string, string>>;
  readonly pin: PinSource;
}

/** A door for tools that speak a foreign protocol; it has a socket of its own. */
export interface DoorConfig {
  readonly enabled: boolean;
  /** Absolute path; the default name beside the control socket when left out. */
  readonly socket: string | undefined;
}

export interface SshAgentConfig extends DoorConfig {
  /** OpenSSH certificates (`*-cert.pub`) of our keys that are offered beside them, absolute paths. */
  readonly certificates: readonly string[];
}

export interface Config {
  readonly version: 1;
  /** Trust domain of every derivation. */
  readonly domain: string;
  /** Absolute path; the default place when left out. */
  readonly socket: string | undefined;
  /** Other uids that may connect; what they may do is for the policy. */
  readonly allowUids: readonly number[];
  /** Uid that clients accept as the agent's besides their own and 0. */
  readonly serviceUid: number | undefined;
  readonly audit: { readonly durability: 'fsync' | 'os'; readonly rotateBytes: number };
  readonly lease: { readonly defaultSeconds: number; readonly maxSeconds: number };
  readonly sshAgent: SshAgentConfig;
  readonly pkcs11: DoorConfig;
  readonly tokens: readonly TokenConfig[];
}

const MAX_UID = 2 ** 32 - 2;
const MAX_TOKENS = 64;
const MAX_CERTIFICATES = 64;
const YEAR_SECONDS = 31_536_000;

/** Variables that make another library or script load into the token host. */
const REFUSED_VARIABLES = /^(?:LD_|DYLD_|NODE_|GLIBC_TUNABLES$)/;

const uid = z.number().int().min(0).max(MAX_UID);
const path = z.string().min(1).max(4096);
const seconds = z.number().int().min(1).max(YEAR_SECONDS);

const variableName = z
  .string()
  .regex(/^[A-Za-z_][A-Za-z0-9_]{0,127}$/, 'not the name of an environment variable')
  .refine(
    (name) => !REFUSED_VARIABLES.test(name),
    'is refused: it would load other code into the token host',
  );
const variableValue = z.string().regex(/^\P{Cc}{0,4096}$/u, 'holds a control character or is too long');

const pinSchema = z
  .strictObject({
    file: path.optional(),
    credential: z
      .string()
      .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/, 'not the name of a credential')
      .optional(),
  })
  .refine(
    (pin) => (pin.file === undefined) !== (pin.credential === undefined),
    'needs file or credential, one of them',
  );

const tokenSchema = z.strictObject({
  name: z
    .string()
    .regex(/^[a-z0-9][a-z0-9._-]{0,63}$/, 'not a token name: a-z, 0-9, ".", "_", "-", at most 64 characters'),
  module: path,
  uri: z.string().min(1).max(1024),
  'on-removal': z.enum(['keep', 'lock'], 'not "keep" or "lock"').default('keep'),
  embedded: z.boolean().default(false),
  env: z.record(variableName, variableValue).default({}),
  pin: pinSchema.optional(),
});

const door = { enabled: z.boolean().default(false), socket: path.optional() };

const documentSchema = z.strictObject({
  version: z.literal(1, 'not a version this release knows; write version = 1'),
  domain: z
    .string()
    .regex(/^[a-z0-9.-]{1,64}$/, 'not a trust domain: a-z, 0-9, ".", "-", at most 64 characters'),
  socket: path.optional(),
  'allow-uids': z.array(uid).max(1024).default([]),
  'service-uid': uid.optional(),
  audit: z
    .strictObject({
      durability: z.enum(['fsync', 'os'], 'not "fsync" or "os"').default('fsync'),
      'rotate-bytes': z
        .number()
        .int()
        .min(4096)
        .max(2 ** 40)
        .default(64 * 1024 * 1024),
    })
    .prefault({}),
  lease: z
    .strictObject({ 'default-seconds': seconds.default(28_800), 'max-seconds': seconds.default(86_400) })
    .prefault({})
    .refine((lease) => lease['default-seconds'] <= lease['max-seconds'], {
      path: ['default-seconds'],
      error: 'is more than lease.max-seconds',
    }),
  'ssh-agent': z
    .strictObject({ ...door, certificates: z.array(path).max(MAX_CERTIFICATES).default([]) })
    .prefault({}),
  pkcs11: z.strictObject(door).prefault({}),
  token: z.array(tokenSchema).max(MAX_TOKENS).default([]).superRefine(checkNames),
});

type WrittenConfig = z.output<typeof documentSchema>;
type WrittenToken = z.output<typeof tokenSchema>;

/**
 * Parses the text of a configuration file.
 * @param file its name, for errors.
 * @throws AgentError `config.invalid`, `usage.path-relative`, `usage.pin-in-uri`, `key.uri-invalid`; details hold `file`,
 *   `line`, `column` and, where there is one, `field`.
 */
export function parseConfig(text: string, file: string): Config {
  const document = parseTomlOf(text, file);
  const parsed = documentSchema.safeParse(document.value);
  if (!parsed.success) throw tomlProblem({ document, file, code: 'config.invalid' }, parsed.error.issues);
  const source = { document, file };
  checkPaths(source, parsed.data);
  for (const [index, token] of parsed.data.token.entries())
    checkUri(source, ['token', index, 'uri'], token.uri);
  return configOf(parsed.data);
}

function parseTomlOf(text: string, file: string): TomlSource['document'] {
  try {
    return parseToml(text, file);
  } catch (thrown) {
    const error = asAgentError(thrown);
    throw new AgentError(error.code, {
      message: error.message,
      details: { ...error.details, file },
      cause: thrown,
    });
  }
}

type Source = Omit<TomlSource, 'code'>;

function fail(source: Source, code: ErrorCode, issue: SchemaIssue): AgentError {
  return tomlProblem({ ...source, code }, [issue]);
}

function checkPaths(source: Source, config: WrittenConfig): void {
  const paths: [(string | number)[], string | undefined][] = [
    [['socket'], config.socket],
    [['ssh-agent', 'socket'], config['ssh-agent'].socket],
    [['pkcs11', 'socket'], config.pkcs11.socket],
  ];
  for (const [index, certificate] of config['ssh-agent'].certificates.entries()) {
    paths.push([['ssh-agent', 'certificates', index], certificate]);
  }
  for (const [index, token] of config.token.entries()) {
    paths.push(
      [['token', index, 'module'], token.module],
      [['token', index, 'pin', 'file'], token.pin?.file],
    );
  }
  for (const [at, value] of paths) {
    if (value === undefined || (value.startsWith('/') && !value.includes('\0'))) continue;
    throw fail(source, 'usage.path-relative', { path: at, message: 'not an absolute path' });
  }
}

function checkUri(source: Source, at: (string | number)[], uri: string): void {
  try {
    parseKeyUri(uri);
  } catch (thrown) {
    const error = asAgentError(thrown);
    throw fail(source, error.code, { path: at, message: error.message });
  }
}

function checkNames(tokens: readonly WrittenToken[], context: z.RefinementCtx): void {
  const seen = new Set<string>();
  for (const [index, token] of tokens.entries()) {
    if (seen.has(token.name)) {
      context.addIssue({ code: 'custom', path: [index, 'name'], message: `"${token.name}" is used twice` });
    }
    seen.add(token.name);
  }
}

function configOf(written: WrittenConfig): Config {
  return {
    version: 1,
    domain: written.domain,
    socket: written.socket,
    allowUids: written['allow-uids'],
    serviceUid: written['service-uid'],
    audit: { durability: written.audit.durability, rotateBytes: written.audit['rotate-bytes'] },
    lease: { defaultSeconds: written.lease['default-seconds'], maxSeconds: written.lease['max-seconds'] },
    sshAgent: { ...doorOf(written['ssh-agent']), certificates: written['ssh-agent'].certificates },
    pkcs11: doorOf(written.pkcs11),
    tokens: written.token.map(tokenOf),
  };
}

function doorOf(written: WrittenConfig['pkcs11']): DoorConfig {
  return { enabled: written.enabled, socket: written.socket };
}

function tokenOf(written: WrittenToken): TokenConfig {
  return {
    name: written.name,
    module: written.module,
    uri: written.uri,
    onRemoval: written['on-removal'],
    embedded: written.embedded,
    env: written.env,
    pin: pinOf(written.pin),
  };
}

function pinOf(pin: WrittenToken['pin']): PinSource {
  if (pin?.file !== undefined) return { source: 'file', path: pin.file };
  if (pin?.credential !== undefined) return { source: 'credential', name: pin.credential };
  return { source: 'person' };
}
