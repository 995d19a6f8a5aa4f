/** The `signed` part of each kind of metadata, field by field. */
import { decodeBase64 } from '../../encoding/base64.js';
import { printable } from '../../encoding/utf8.js';
import { AgentError } from '../../errors/agent-error.js';
import type { ErrorCode } from '../../errors/codes.js';
import { isJsonObject } from '../json-object.js';
import {
  WIRE_TYPES,
  type DelegationRole,
  type FileMeta,
  type Hashes,
  type NotaryDocument,
  type RoleKeys,
  type RootDocument,
  type SnapshotDocument,
  type Target,
  type TargetsDocument,
  type TimestampDocument,
} from './document.js';
import { KEY_TYPES, tufKeyId, type NotaryKey } from './key.js';
import { isDelegation } from './role-name.js';

/** What is read, for errors, and their code. */
export interface ReadingPlace {
  readonly what: string;
  readonly code: ErrorCode;
}

const KEY_ID = /^[0-9a-f]{64}$/;
// Go writes up to nine digits, any offset; a leap second is read by nobody.
const RFC_3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/;
const SHA256_BYTES = 32;
const SHA512_BYTES = 64;
const SHOWN_NAME = 80;
/** Every name of a role is compared with each of its paths. */
const MAX_PATHS = 1_000;
const MAX_ROLE_KEYS = 1_000;

/** @throws AgentError of the place, naming the field */
export function readBody<K extends NotaryDocument['type']>(
  value: unknown,
  type: K,
  place: ReadingPlace,
): Extract<NotaryDocument, { type: K }>;
export function readBody(value: unknown, type: NotaryDocument['type'], place: ReadingPlace): NotaryDocument {
  const reader = new BodyReader(place);
  const body = reader.object(value, 'signed');
  if (body['_type'] !== WIRE_TYPES[type]) throw reader.invalid('_type', `is not ${WIRE_TYPES[type]}`);
  switch (type) {
    case 'root':
      return reader.root(body);
    case 'targets':
      return reader.targets(body);
    case 'snapshot':
      return { type, ...reader.versioned(body), meta: reader.meta(body) } satisfies SnapshotDocument;
    case 'timestamp':
      return { type, ...reader.versioned(body), meta: reader.meta(body) } satisfies TimestampDocument;
  }
}

type Body = Readonly<Record<string, unknown>>;

class BodyReader {
  readonly #place: ReadingPlace;

  constructor(place: ReadingPlace) {
    this.#place = place;
  }

  root(body: Body): RootDocument {
    const roles = this.object(body['roles'], 'roles');
    return {
      type: 'root',
      ...this.versioned(body),
      consistentSnapshot: body['consistent_snapshot'] === true,
      keys: this.#keys(body['keys'], 'keys'),
      roles: {
        root: this.#role(roles['root'], 'roles.root'),
        targets: this.#role(roles['targets'], 'roles.targets'),
        snapshot: this.#role(roles['snapshot'], 'roles.snapshot'),
        timestamp: this.#role(roles['timestamp'], 'roles.timestamp'),
      },
    };
  }

  targets(body: Body): TargetsDocument {
    const delegations = this.object(body['delegations'] ?? {}, 'delegations');
    return {
      type: 'targets',
      ...this.versioned(body),
      targets: this.#map(body['targets'] ?? {}, 'targets', (value, field) => this.#target(value, field)),
      delegations: {
        keys: this.#keys(delegations['keys'] ?? {}, 'delegations.keys'),
        roles: this.#list(delegations['roles'] ?? [], 'delegations.roles').map((one) =>
          this.#delegation(one),
        ),
      },
    };
  }

  meta(body: Body): ReadonlyMap<string, FileMeta> {
    return this.#map(body['meta'], 'meta', (value, field) => this.#file(value, field));
  }

  versioned(body: Body): { readonly version: number; readonly expires: string } {
    const { version, expires } = body;
    if (!isCount(version) || version < 1) throw this.invalid('version', 'is not a whole number from 1 on');
    if (typeof expires !== 'string' || !RFC_3339.test(expires) || Number.isNaN(Date.parse(expires))) {
      throw this.invalid('expires', 'is not a time of RFC 3339');
    }
    return { version, expires };
  }

  object(value: unknown, field: string): Body {
    if (isJsonObject(value)) return value;
    throw this.invalid(field, 'is not an object');
  }

  invalid(field: string, problem: string): AgentError {
    const { what, code } = this.#place;
    return new AgentError(code, { message: `${what}: ${field} ${problem}`, details: { field } });
  }

  #delegation(value: unknown): DelegationRole {
    const role = this.object(value, 'delegations.roles');
    const { name } = role;
    if (typeof name !== 'string' || !isDelegation(name)) {
      throw this.invalid('delegations.roles', 'holds a name that is not a path below targets/');
    }
    const paths = this.#texts(role['paths'] ?? [], `delegation ${name}: paths`, MAX_PATHS);
    return { name, ...this.#role(role, `delegation ${name}`), paths };
  }

  #target(value: unknown, field: string): Target {
    const { custom } = this.object(value, field);
    const file = this.#file(value, field);
    return custom === undefined || custom === null ? file : { ...file, custom };
  }

  #file(value: unknown, field: string): FileMeta {
    const { hashes, length } = this.object(value, field);
    if (!isCount(length)) throw this.invalid(field, 'has a length that is not a number of bytes');
    return { hashes: this.#hashes(this.object(hashes, field), field), length };
  }

  #hashes(hashes: Body, field: string): Hashes {
    const sha256 = this.#hash(hashes['sha256'], SHA256_BYTES, field);
    if (hashes['sha512'] === undefined) return { sha256 };
    return { sha256, sha512: this.#hash(hashes['sha512'], SHA512_BYTES, field) };
  }

  #hash(value: unknown, bytes: number, field: string): string {
    if (typeof value !== 'string') throw this.invalid(field, 'has no sha256');
    const hash = decodeBase64(value, `${this.#place.what}: ${field}`, this.#place.code);
    if (hash.length !== bytes) throw this.invalid(field, `has a hash that is not of ${bytes} bytes`);
    return hash.toString('hex');
  }

  #role(value: unknown, field: string): RoleKeys {
    const { keyids, threshold } = this.object(value, field);
    if (!isCount(threshold) || threshold < 1) throw this.invalid(field, 'has a threshold below 1');
    return { keyids: [...new Set(this.#texts(keyids ?? [], `${field}: keyids`, MAX_ROLE_KEYS))], threshold };
  }

  #keys(value: unknown, field: string): ReadonlyMap<string, NotaryKey> {
    const keys = new Map<string, NotaryKey>();
    for (const [id, one] of Object.entries(this.object(value, field))) {
      const key = this.#key(one);
      // A key of a type we do not know, or under an id that is not its own, verifies nothing.
      if (key !== undefined && KEY_ID.test(id) && tufKeyId(key) === id) keys.set(id, key);
    }
    return keys;
  }

  #key(value: unknown): NotaryKey | undefined {
    const { keytype, keyval } = this.object(value, 'keys');
    const held = this.object(keyval, 'keyval')['public'];
    const known = KEY_TYPES.find((type) => type === keytype);
    return known === undefined || typeof held !== 'string' ? undefined : { keytype: known, public: held };
  }

  #map<T>(value: unknown, field: string, read: (value: unknown, field: string) => T): ReadonlyMap<string, T> {
    const entries = Object.entries(this.object(value, field));
    return new Map(
      entries.map(([name, one]) => [name, read(one, `${field}["${printable(name, SHOWN_NAME)}"]`)]),
    );
  }

  #texts(value: unknown, field: string, most: number): readonly string[] {
    const list = this.#list(value, field);
    if (list.length > most) throw this.invalid(field, `holds more than ${most}`);
    return list.map((one) => {
      if (typeof one === 'string') return one;
      throw this.invalid(field, 'holds something that is no text');
    });
  }

  #list(value: unknown, field: string): readonly unknown[] {
    if (Array.isArray(value)) return value as readonly unknown[];
    throw this.invalid(field, 'is not a list');
  }
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
