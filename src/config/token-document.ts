/** One `[[token]]` of touchstone.toml: its grammar for every kind of token, and the value it becomes. */
import { z } from 'zod';
import { otpTokenUri } from '../keys/otp-uri.js';

/** Where the PIN of a token comes from when the agent is to find or ask for it; `person` means somebody types it at the command. */
export type PinSource =
  | { readonly source: 'person' }
  | { readonly source: 'file'; readonly path: string }
  | { readonly source: 'credential'; readonly name: string }
  /** The agent has a person asked; without a path by the system's pinentry. */
  | { readonly source: 'pinentry'; readonly path: string | undefined }
  | { readonly source: 'askpass'; readonly path: string }
  /** Stored by a person with `touchstone pin store`; read when somebody runs `touchstone unlock`. */
  | { readonly source: 'keychain' };

interface AnyTokenConfig {
  readonly name: string;
  /** What happens to loaded leaves when the token is removed. */
  readonly onRemoval: 'keep' | 'lock';
  /** Environment of the token host, besides what every process gets. */
  readonly env: Readonly<Record<string, string>>;
  readonly pin: PinSource;
}

/** Any token behind a PKCS#11 driver. */
export interface Pkcs11TokenConfig extends AnyTokenConfig {
  readonly kind: 'pkcs11';
  /** Absolute path of the PKCS#11 module. */
  readonly module: string;
  /** RFC 7512 URI that selects the token. */
  readonly uri: string;
  /** The agent initialises this token during setup when it is blank: the private SoftHSM of `init --softhsm`. */
  readonly embedded: boolean;
}

/** The PIV applet of a YubiKey. */
export interface PivTokenConfig extends AnyTokenConfig {
  readonly kind: 'yubikey-piv';
  /** Absolute path of libykcs11; looked for in the usual places when left out. */
  readonly module: string | undefined;
  /** As printed on the key, decimal. */
  readonly serial: string;
  /** Absolute path of a file with the roots that vouch for cards; nothing is checked when left out. */
  readonly attestationRoots: string | undefined;
  /** How long an open card may be unused before it is locked again, for other programs. */
  readonly releaseAfterSeconds: number;
}

/** One OTP slot of a YubiKey, in challenge-response mode: it derives, and has no key that signs. */
interface OtpTokenConfig extends AnyTokenConfig {
  readonly kind: 'yubikey-otp';
  /** As printed on the key, decimal. */
  readonly serial: string;
  readonly slot: 1 | 2;
}

export type TokenConfig = Pkcs11TokenConfig | PivTokenConfig | OtpTokenConfig;

/** Variables that make another library or script load into the token host. */
const REFUSED_VARIABLES = /^(?:LD_|DYLD_|NODE_|GLIBC_TUNABLES$)/;

const MAX_SERIAL = 2 ** 32 - 1;
/** Long enough to read a document between two signatures. */
const DEFAULT_RELEASE_SECONDS = 300;
const MAX_RELEASE_SECONDS = 86_400;

const path = z.string().min(1).max(4096);

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
    pinentry: z.union([z.literal(true), path], 'not true or a path').optional(),
    askpass: path.optional(),
    keychain: z.literal(true, 'not true').optional(),
  })
  .refine(
    (pin) => Object.values(pin).filter((source) => source !== undefined).length === 1,
    'needs one of file, credential, pinentry, askpass and keychain',
  );

const anyToken = {
  name: z
    .string()
    .regex(/^[a-z0-9][a-z0-9._-]{0,63}$/, 'not a token name: a-z, 0-9, ".", "_", "-", at most 64 characters'),
  'on-removal': z.enum(['keep', 'lock'], 'not "keep" or "lock"').default('keep'),
  env: z.record(variableName, variableValue).default({}),
  pin: pinSchema.optional(),
};

const serial = z
  .number('not a serial number: write the digits on the key, without quotes')
  .int()
  .min(1)
  .max(MAX_SERIAL);

const kinds = z.discriminatedUnion(
  'kind',
  [
    z.strictObject({
      ...anyToken,
      kind: z.literal('pkcs11'),
      module: path,
      uri: z.string().min(1).max(1024),
      embedded: z.boolean().default(false),
    }),
    z.strictObject({
      ...anyToken,
      kind: z.literal('yubikey-piv'),
      serial,
      module: path.optional(),
      'attestation-roots': path.optional(),
      'release-after': z.number().int().min(1).max(MAX_RELEASE_SECONDS).default(DEFAULT_RELEASE_SECONDS),
    }),
    z.strictObject({
      ...anyToken,
      kind: z.literal('yubikey-otp'),
      serial,
      slot: z.union([z.literal(1), z.literal(2)], 'not 1 or 2'),
    }),
  ],
  'not "pkcs11", "yubikey-piv" or "yubikey-otp"',
);

/** A `[[token]]` as written, defaults filled in; without `kind` it is a PKCS#11 token. */
export const tokenSchema = z.preprocess(withKind, kinds);

export type WrittenToken = z.output<typeof kinds>;

/** The value of a token that the schema accepts. */
export function tokenOf(written: WrittenToken): TokenConfig {
  const common = {
    name: written.name,
    onRemoval: written['on-removal'],
    env: written.env,
    pin: pinOf(written.pin),
  };
  switch (written.kind) {
    case 'pkcs11': {
      const { kind, module, uri, embedded } = written;
      return { ...common, kind, module, uri, embedded };
    }
    case 'yubikey-piv':
      return {
        ...common,
        kind: written.kind,
        module: written.module,
        serial: String(written.serial),
        attestationRoots: written['attestation-roots'],
        releaseAfterSeconds: written['release-after'],
      };
    case 'yubikey-otp':
      return { ...common, kind: written.kind, serial: String(written.serial), slot: written.slot };
  }
}

/** URI by which a token is known before anybody has found it. */
export function tokenUri(config: TokenConfig): string {
  switch (config.kind) {
    case 'pkcs11':
      return config.uri;
    case 'yubikey-piv':
      return `pkcs11:serial=${config.serial}`;
    case 'yubikey-otp':
      return otpTokenUri(config.serial, config.slot);
  }
}

function withKind(written: unknown): unknown {
  if (typeof written !== 'object' || written === null || 'kind' in written) return written;
  return { kind: 'pkcs11', ...written };
}

function pinOf(pin: WrittenToken['pin']): PinSource {
  if (pin?.file !== undefined) return { source: 'file', path: pin.file };
  if (pin?.credential !== undefined) return { source: 'credential', name: pin.credential };
  if (pin?.keychain !== undefined) return { source: 'keychain' };
  if (pin?.askpass !== undefined) return { source: 'askpass', path: pin.askpass };
  if (pin?.pinentry !== undefined)
    return { source: 'pinentry', path: pin.pinentry === true ? undefined : pin.pinentry };
  return { source: 'person' };
}
