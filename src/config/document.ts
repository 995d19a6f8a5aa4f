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
import { certificatesOf, certificatesSchema, type CertificatesConfig } from './certificates-document.js';
import { tokenOf, tokenSchema, type TokenConfig, type WrittenToken } from './token-document.js';

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
  /** On the desktop, when something waits for a person. */
  readonly notifications: boolean;
  readonly lease: { readonly defaultSeconds: number; readonly maxSeconds: number };
  readonly sshAgent: SshAgentConfig;
  readonly pkcs11: DoorConfig;
  readonly certificates: CertificatesConfig;
  readonly tokens: readonly TokenConfig[];
}

const MAX_UID = 2 ** 32 - 2;
const MAX_TOKENS = 64;
const MAX_CERTIFICATES = 64;
const YEAR_SECONDS = 31_536_000;

const uid = z.number().int().min(0).max(MAX_UID);
const path = z.string().min(1).max(4096);
const seconds = z.number().int().min(1).max(YEAR_SECONDS);

const door = { enabled: z.boolean().default(false), socket: path.optional() };

const documentSchema = z.strictObject({
  version: z.literal(1, 'not a version this release knows; write version = 1'),
  domain: z
    .string()
    .regex(/^[a-z0-9.-]{1,64}$/, 'not a trust domain: a-z, 0-9, ".", "-", at most 64 characters'),
  socket: path.optional(),
  'allow-uids': z.array(uid).max(1024).default([]),
  'service-uid': uid.optional(),
  notifications: z.boolean().default(true),
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
  certificates: certificatesSchema,
  token: z.array(tokenSchema).max(MAX_TOKENS).default([]).superRefine(checkNames),
});

type WrittenConfig = z.output<typeof documentSchema>;

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
  for (const [index, token] of parsed.data.token.entries()) {
    if (token.kind === 'pkcs11') checkUri(source, ['token', index, 'uri'], token.uri);
  }
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
      [['token', index, 'module'], 'module' in token ? token.module : undefined],
      [
        ['token', index, 'attestation-roots'],
        'attestation-roots' in token ? token['attestation-roots'] : undefined,
      ],
      [['token', index, 'pin', 'file'], token.pin?.file],
      [['token', index, 'pin', 'askpass'], token.pin?.askpass],
      [['token', index, 'pin', 'pinentry'], token.pin?.pinentry === true ? undefined : token.pin?.pinentry],
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
  const slotted = new Set<number>();
  for (const [index, token] of tokens.entries()) {
    if (seen.has(token.name)) {
      context.addIssue({ code: 'custom', path: [index, 'name'], message: `"${token.name}" is used twice` });
    }
    seen.add(token.name);
    if (token.kind !== 'yubikey-otp') continue;
    // Two processes that poll one key take pieces of each other's answers.
    if (slotted.has(token.serial)) {
      context.addIssue({
        code: 'custom',
        path: [index, 'serial'],
        message: 'only one slot of a key can be used',
      });
    }
    slotted.add(token.serial);
  }
}

function configOf(written: WrittenConfig): Config {
  return {
    version: 1,
    domain: written.domain,
    socket: written.socket,
    allowUids: written['allow-uids'],
    serviceUid: written['service-uid'],
    notifications: written.notifications,
    audit: { durability: written.audit.durability, rotateBytes: written.audit['rotate-bytes'] },
    lease: { defaultSeconds: written.lease['default-seconds'], maxSeconds: written.lease['max-seconds'] },
    sshAgent: { ...doorOf(written['ssh-agent']), certificates: written['ssh-agent'].certificates },
    pkcs11: doorOf(written.pkcs11),
    certificates: certificatesOf(written.certificates),
    tokens: written.token.map(tokenOf),
  };
}

function doorOf(written: WrittenConfig['pkcs11']): DoorConfig {
  return { enabled: written.enabled, socket: written.socket };
}
