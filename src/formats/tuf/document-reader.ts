/** The `signed` part of each kind of metadata, field by field. What is not known here is kept in `raw`. */
import { printable } from '../../encoding/utf8.js';
import { AgentError } from '../../errors/agent-error.js';
import type { ErrorCode } from '../../errors/codes.js';
import { isJsonObject, type JsonObject } from '../json-object.js';
import type {
  TufDelegatedRole,
  TufDelegations,
  TufDocument,
  TufFileMeta,
  TufHashes,
  TufRoleKeys,
  TufRoot,
  TufSuccinctRoles,
  TufTarget,
  TufTargets,
} from './document.js';
import { tufTimeMs } from './expiry.js';
import type { TufKey } from './key.js';

/** What is read, for errors, and their code. */
export interface ReadingPlace {
  readonly what: string;
  readonly code: ErrorCode;
}

const SPEC_VERSION = /^1\.0(?:\.\d{1,4})?$/;
const HEX = /^(?:[0-9a-fA-F]{2})+$/;
const HEX_DIGITS = /^[0-9a-f]+$/;
const SHA256_DIGITS = 64;
const MAX_BITS = 32;
const SHOWN_NAME = 80;

/** @throws AgentError of the place, naming the field */
export function readDocument(value: unknown, place: ReadingPlace): TufDocument {
  const reader = new DocumentReader(place);
  const body = reader.object(value, 'signed');
  switch (body['_type']) {
    case 'root':
      return reader.root(body);
    case 'targets':
      return reader.targets(body);
    case 'snapshot':
      return { type: 'snapshot', ...reader.versioned(body), meta: reader.meta(body) };
    case 'timestamp':
      return { type: 'timestamp', ...reader.versioned(body), meta: reader.meta(body) };
    default:
      throw reader.invalid('_type', 'is not root, targets, snapshot or timestamp');
  }
}

class DocumentReader {
  readonly #place: ReadingPlace;

  constructor(place: ReadingPlace) {
    this.#place = place;
  }

  root(body: JsonObject): TufRoot {
    const roles = this.object(body['roles'], 'roles');
    const role = (name: string): TufRoleKeys => this.#role(roles[name], `roles.${name}`);
    return {
      type: 'root',
      ...this.versioned(body),
      consistentSnapshot: this.#flag(body, 'consistent_snapshot', 'consistent_snapshot'),
      keys: this.#keys(body['keys'], 'keys'),
      roles: {
        root: role('root'),
        targets: role('targets'),
        snapshot: role('snapshot'),
        timestamp: role('timestamp'),
      },
    };
  }

  targets(body: JsonObject): TufTargets {
    const { delegations } = body;
    return {
      type: 'targets',
      ...this.versioned(body),
      targets: this.#map(body['targets'], 'targets', (value, field) => this.#target(value, field)),
      ...(delegations === undefined ? {} : { delegations: this.#delegations(delegations) }),
    };
  }

  meta(body: JsonObject): ReadonlyMap<string, TufFileMeta> {
    return this.#map(body['meta'], 'meta', (value, field) => this.#file(value, field));
  }

  versioned(body: JsonObject): Pick<TufDocument, 'specVersion' | 'version' | 'expires' | 'raw'> {
    const { expires, spec_version: specVersion } = body;
    if (typeof specVersion !== 'string' || !SPEC_VERSION.test(specVersion)) {
      throw this.invalid('spec_version', 'is not 1.0 or 1.0.N');
    }
    if (typeof expires !== 'string' || tufTimeMs(expires) === undefined) {
      throw this.invalid('expires', 'is not a time of RFC 3339');
    }
    return { specVersion, version: this.#version(body['version'], 'version'), expires, raw: body };
  }

  object(value: unknown, field: string): JsonObject {
    if (isJsonObject(value)) return value;
    throw this.invalid(field, 'is not an object');
  }

  invalid(field: string, problem: string): AgentError {
    const { what, code } = this.#place;
    return new AgentError(code, { message: `${what}: ${field} ${problem}`, details: { field } });
  }

  #delegations(value: unknown): TufDelegations {
    const raw = this.object(value, 'delegations');
    const { roles, succinct_roles: succinct } = raw;
    if ((roles === undefined) === (succinct === undefined)) {
      throw this.invalid('delegations', 'has not one of roles and succinct_roles');
    }
    const keys = this.#keys(raw['keys'], 'delegations.keys');
    if (roles === undefined) return { keys, succinctRoles: this.#succinct(succinct), raw };
    const list = this.#list(roles, 'delegations.roles').map((one) => this.#delegated(one));
    if (new Set(list.map(({ name }) => name)).size !== list.length) {
      throw this.invalid('delegations.roles', 'names a role twice');
    }
    return { keys, roles: list, raw };
  }

  #delegated(value: unknown): TufDelegatedRole {
    const raw = this.object(value, 'delegations.roles');
    const { name, paths, path_hash_prefixes: prefixes } = raw;
    if (typeof name !== 'string' || name === '') throw this.invalid('delegations.roles', 'has no name');
    const field = `delegation ${printable(name, SHOWN_NAME)}`;
    if ((paths === undefined) === (prefixes === undefined)) {
      throw this.invalid(field, 'has not one of paths and path_hash_prefixes');
    }
    return {
      name,
      ...this.#role(raw, field),
      terminating: this.#flag(raw, 'terminating', `${field}: terminating`),
      ...(paths === undefined ? {} : { paths: this.#texts(paths, `${field}: paths`) }),
      ...(prefixes === undefined ? {} : { pathHashPrefixes: this.#prefixes(prefixes, field) }),
    };
  }

  #prefixes(value: unknown, field: string): readonly string[] {
    const prefixes = this.#texts(value, `${field}: path_hash_prefixes`);
    if (prefixes.every((prefix) => HEX_DIGITS.test(prefix) && prefix.length <= SHA256_DIGITS))
      return prefixes;
    throw this.invalid(`${field}: path_hash_prefixes`, 'holds something that is no hex');
  }

  #succinct(value: unknown): TufSuccinctRoles {
    const field = 'delegations.succinct_roles';
    const raw = this.object(value, field);
    const { bit_length: bitLength, name_prefix: namePrefix } = raw;
    if (!isCount(bitLength) || bitLength < 1 || bitLength > MAX_BITS) {
      throw this.invalid(`${field}: bit_length`, `is not 1 to ${MAX_BITS}`);
    }
    if (typeof namePrefix !== 'string' || namePrefix === '') throw this.invalid(field, 'has no name_prefix');
    return { ...this.#role(raw, field), bitLength, namePrefix };
  }

  #target(value: unknown, field: string): TufTarget {
    const raw = this.object(value, field);
    const file = {
      length: this.#length(raw['length'], field),
      hashes: this.#hashes(raw['hashes'], field),
      raw,
    };
    return raw['custom'] === undefined ? file : { ...file, custom: raw['custom'] };
  }

  #file(value: unknown, field: string): TufFileMeta {
    const raw = this.object(value, field);
    const { length, hashes } = raw;
    return {
      version: this.#version(raw['version'], `${field}: version`),
      ...(length === undefined ? {} : { length: this.#length(length, field) }),
      ...(hashes === undefined ? {} : { hashes: this.#hashes(hashes, field) }),
      raw,
    };
  }

  #length(value: unknown, field: string): number {
    if (isCount(value)) return value;
    throw this.invalid(field, 'has a length that is not a number of bytes');
  }

  #version(value: unknown, field: string): number {
    if (isCount(value) && value >= 1) return value;
    throw this.invalid(field, 'is not a whole number from 1 on');
  }

  #hashes(value: unknown, field: string): TufHashes {
    const hashes = this.object(value, `${field}: hashes`);
    const entries = Object.entries(hashes);
    if (entries.length === 0) throw this.invalid(field, 'has no hash');
    for (const [algorithm, hash] of entries) {
      const isHash = typeof hash === 'string' && HEX.test(hash);
      if (!isHash || (algorithm === 'sha256' && hash.length !== SHA256_DIGITS)) {
        throw this.invalid(field, 'has a hash that is not hex, or not as long as its algorithm says');
      }
    }
    return hashes as TufHashes;
  }

  #role(value: unknown, field: string): TufRoleKeys {
    const raw = this.object(value, field);
    const { threshold } = raw;
    if (!isCount(threshold) || threshold < 1) throw this.invalid(field, 'has a threshold below 1');
    const keyids = this.#texts(raw['keyids'], `${field}: keyids`);
    if (new Set(keyids).size !== keyids.length) throw this.invalid(`${field}: keyids`, 'names a key twice');
    return { keyids, threshold, raw };
  }

  #keys(value: unknown, field: string): ReadonlyMap<string, TufKey> {
    return this.#map(value, field, (one, where) => {
      const { keytype, scheme, keyval, ...more } = this.object(one, where);
      const held = this.object(keyval, `${where}: keyval`);
      const { public: text } = held;
      if (typeof keytype !== 'string' || typeof scheme !== 'string' || typeof text !== 'string') {
        throw this.invalid(where, 'lacks keytype, scheme or public');
      }
      return { ...more, keytype, scheme, keyval: { ...held, public: text } };
    });
  }

  #flag(body: JsonObject, name: string, field: string): boolean | undefined {
    const value = body[name];
    if (value === undefined || typeof value === 'boolean') return value;
    throw this.invalid(field, 'is neither true nor false');
  }

  #map<T>(value: unknown, field: string, read: (value: unknown, field: string) => T): ReadonlyMap<string, T> {
    const entries = Object.entries(this.object(value, field));
    return new Map(
      entries.map(([name, one]) => [name, read(one, `${field}["${printable(name, SHOWN_NAME)}"]`)]),
    );
  }

  #texts(value: unknown, field: string): readonly string[] {
    return this.#list(value, field).map((one) => {
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
