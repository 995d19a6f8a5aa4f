/**
 * PKCS#11 URIs (RFC 7512) that name a token or an object on it. Stricter than the RFC on purpose: each attribute once,
 * no unknown ones except vendor `x-*`, and no query part, because PINs and module paths do not belong in a URI that
 * ends up in shell histories and logs.
 */
import { AgentError } from '../errors/agent-error.js';

/** What a URI may say of the token and the object; all strings decoded. */
export interface KeyUri {
  readonly token?: string | undefined;
  readonly serial?: string | undefined;
  readonly manufacturer?: string | undefined;
  readonly model?: string | undefined;
  readonly object?: string | undefined;
  /** CKA_ID, lower-case hex. */
  readonly id?: string | undefined;
  readonly type?: ObjectType | undefined;
  readonly slotId?: number | undefined;
  readonly slotManufacturer?: string | undefined;
  readonly slotDescription?: string | undefined;
  readonly libraryManufacturer?: string | undefined;
  readonly libraryDescription?: string | undefined;
  readonly libraryVersion?: string | undefined;
  /** Vendor attributes by their full name, `x-...`; kept, never matched. */
  readonly vendor?: Readonly<Record<string, string>> | undefined;
}

export type ObjectType = 'cert' | 'data' | 'private' | 'public' | 'secret-key';

/** What a token says of itself, without the padding of PKCS#11. */
export interface TokenFacts {
  readonly label: string;
  readonly serial: string;
  readonly manufacturer: string;
  readonly model: string;
}

const SCHEME = 'pkcs11:';
const OBJECT_TYPES: readonly string[] = [
  'cert',
  'data',
  'private',
  'public',
  'secret-key',
] satisfies ObjectType[];
const PIN_ATTRIBUTES: ReadonlySet<string> = new Set(['pin-value', 'pin-source']);
const PIN_ANYWHERE = /pin-(?:value|source)=/i;
const MODULE_ATTRIBUTES: ReadonlySet<string> = new Set(['module-name', 'module-path']);
const VENDOR_NAME = /^x-[a-z0-9-]+$/;

interface TextAttribute {
  readonly field: TextField;
  /** Size of the field in PKCS#11 2.40, bytes of UTF-8. */
  readonly maxBytes: number;
}

type TextField = Exclude<keyof KeyUri, 'id' | 'type' | 'slotId' | 'vendor'>;

/** In the order in which they are written. */
const TEXT_ATTRIBUTES: ReadonlyMap<string, TextAttribute> = new Map([
  ['token', { field: 'token', maxBytes: 32 }],
  ['serial', { field: 'serial', maxBytes: 16 }],
  ['manufacturer', { field: 'manufacturer', maxBytes: 32 }],
  ['model', { field: 'model', maxBytes: 16 }],
  ['object', { field: 'object', maxBytes: 255 }],
  ['slot-manufacturer', { field: 'slotManufacturer', maxBytes: 32 }],
  ['slot-description', { field: 'slotDescription', maxBytes: 64 }],
  ['library-manufacturer', { field: 'libraryManufacturer', maxBytes: 32 }],
  ['library-description', { field: 'libraryDescription', maxBytes: 32 }],
  ['library-version', { field: 'libraryVersion', maxBytes: 7 }],
] satisfies [string, TextAttribute][]);

const MAX_ID_BYTES = 255;
const MAX_URI_CHARACTERS = 2048;
const MAX_U32 = 0xffff_ffff;

// RFC 7512 section 2.3: unreserved, pct-encoded and pk11-res-avail with "&", which only a query needs encoded.
const PATH_VALUE = /^(?:[A-Za-z0-9._~:[\]@!$'()*+,=&-]|%[0-9A-Fa-f]{2})*$/;
const PLAIN_CHARACTER = /^[A-Za-z0-9._~-]$/;

/**
 * Reads a URI.
 * @throws AgentError `usage.pin-in-uri` for pin-value and pin-source, else `key.uri-invalid`, naming the attribute.
 */
export function parseKeyUri(text: string): KeyUri {
  if (!text.startsWith(SCHEME)) throw invalid(`it does not begin with ${SCHEME}`);
  if (text.length > MAX_URI_CHARACTERS) throw invalid(`it is longer than ${MAX_URI_CHARACTERS} characters`);
  // A mistyped separator would make the PIN part of a value, which is kept and shown; values of ours have no bare "=".
  if (PIN_ANYWHERE.test(text)) throw new AgentError('usage.pin-in-uri');
  const [path = '', ...queries] = text.slice(SCHEME.length).split('?');
  refuseQuery(queries);
  const attributes = splitPath(path);
  const uri: Mutable<KeyUri> = {};
  for (const [name, value] of attributes) readAttribute(uri, name, value);
  return uri;
}

/** The URI in one form: fixed order, everything but unreserved characters percent-encoded, upper-case hex. */
export function formatKeyUri(uri: KeyUri): string {
  const parts: string[] = [];
  for (const [name, { field }] of TEXT_ATTRIBUTES) {
    const value = uri[field];
    if (value !== undefined) parts.push(`${name}=${encodeBytes(Buffer.from(value, 'utf8'))}`);
    // An object is named by label and id together.
    if (name === 'object' && uri.id !== undefined)
      parts.push(`id=${encodeEveryByte(Buffer.from(uri.id, 'hex'))}`);
  }
  if (uri.type !== undefined) parts.push(`type=${uri.type}`);
  if (uri.slotId !== undefined) parts.push(`slot-id=${uri.slotId}`);
  for (const [name, value] of Object.entries(uri.vendor ?? {})) {
    parts.push(`${name}=${encodeBytes(Buffer.from(value, 'utf8'))}`);
  }
  return SCHEME + parts.join(';');
}

/**
 * Whether a token fits everything the URI says of it. Attributes of object and vendor do not matter here; what the URI
 * says of slot or library cannot be checked against these facts, so such a URI fits no token.
 */
export function matchesToken(uri: KeyUri, facts: TokenFacts): boolean {
  const {
    slotId,
    slotManufacturer,
    slotDescription,
    libraryManufacturer,
    libraryDescription,
    libraryVersion,
  } = uri;
  const unchecked = [
    slotId,
    slotManufacturer,
    slotDescription,
    libraryManufacturer,
    libraryDescription,
    libraryVersion,
  ];
  return (
    unchecked.every((value) => value === undefined) &&
    (uri.token ?? facts.label) === facts.label &&
    (uri.serial ?? facts.serial) === facts.serial &&
    (uri.manufacturer ?? facts.manufacturer) === facts.manufacturer &&
    (uri.model ?? facts.model) === facts.model
  );
}

type Mutable<T> = { -readonly [Field in keyof T]: T[Field] };

function refuseQuery(queries: readonly string[]): void {
  const names = queries
    .join('&')
    .split('&')
    .map((part) => part.split('=')[0] ?? '');
  for (const name of names) refuseForbidden(name);
  if (queries.length > 0) throw invalid('a query part ("?") is not allowed');
}

function splitPath(path: string): ReadonlyMap<string, string> {
  const attributes = new Map<string, string>();
  for (const part of path === '' ? [] : path.split(';')) {
    const equals = part.indexOf('=');
    const name = equals === -1 ? part : part.slice(0, equals);
    refuseForbidden(name);
    if (equals === -1) throw invalid('an attribute without "="');
    if (attributes.has(name)) throw invalid('an attribute stands twice', name);
    attributes.set(name, part.slice(equals + 1));
  }
  return attributes;
}

function refuseForbidden(name: string): void {
  // Compared without case and encoding: a PIN must be recognised before anything of the URI is repeated in a message.
  const plain = name
    .replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)))
    .toLowerCase();
  if (PIN_ATTRIBUTES.has(plain)) throw new AgentError('usage.pin-in-uri', { details: { attribute: plain } });
  if (MODULE_ATTRIBUTES.has(plain))
    throw invalid('the module is named in touchstone.toml, not in a URI', plain);
}

function readAttribute(uri: Mutable<KeyUri>, name: string, encoded: string): void {
  const text = TEXT_ATTRIBUTES.get(name);
  if (text !== undefined) {
    uri[text.field] = decodeText(name, encoded, text.maxBytes);
  } else if (name === 'id') {
    uri.id = decodeBytes(name, encoded, MAX_ID_BYTES).toString('hex');
  } else if (name === 'type') {
    uri.type = readType(encoded);
  } else if (name === 'slot-id') {
    uri.slotId = readSlotId(encoded);
  } else if (VENDOR_NAME.test(name)) {
    uri.vendor = { ...uri.vendor, [name]: decodeText(name, encoded, MAX_URI_CHARACTERS) };
  } else {
    throw invalid('an attribute that is not known; vendor attributes begin with x-');
  }
}

function readType(text: string): ObjectType {
  if (!OBJECT_TYPES.includes(text)) throw invalid(`one of ${OBJECT_TYPES.join(', ')} is needed`, 'type');
  return text as ObjectType;
}

function readSlotId(text: string): number {
  const value = Number(text);
  if (!/^(?:0|[1-9][0-9]*)$/.test(text) || value > MAX_U32)
    throw invalid('a decimal number is needed', 'slot-id');
  return value;
}

function decodeText(name: string, encoded: string, maxBytes: number): string {
  const bytes = decodeBytes(name, encoded, maxBytes);
  const text = bytes.toString('utf8');
  if (!Buffer.from(text, 'utf8').equals(bytes)) throw invalid('not UTF-8', name);
  if (/\p{Cc}/u.test(text)) throw invalid('control characters are not allowed', name);
  return text;
}

function decodeBytes(name: string, encoded: string, maxBytes: number): Buffer {
  if (!PATH_VALUE.test(encoded)) throw invalid('a character that must be percent-encoded', name);
  const latin1 = encoded.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) =>
    String.fromCharCode(parseInt(hex, 16)),
  );
  const bytes = Buffer.from(latin1, 'latin1');
  if (bytes.length > maxBytes) throw invalid(`longer than ${maxBytes} bytes`, name);
  return bytes;
}

function encodeBytes(bytes: Buffer): string {
  return Array.from(bytes, (byte) => {
    const character = String.fromCharCode(byte);
    return PLAIN_CHARACTER.test(character) ? character : percent(byte);
  }).join('');
}

/** RFC 7512 section 2.3 asks to encode the whole id. */
function encodeEveryByte(bytes: Buffer): string {
  return Array.from(bytes, percent).join('');
}

function percent(byte: number): string {
  return `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
}

function invalid(problem: string, attribute?: string): AgentError {
  return new AgentError('key.uri-invalid', {
    message: `reading a key URI: ${attribute === undefined ? '' : `${attribute}: `}${problem}`,
    ...(attribute === undefined ? {} : { details: { attribute } }),
  });
}
