/**
 * Cosign's payload over an image digest ("simple signing", containers/image atomic-signature format). The reader takes
 * exactly the fields of the format and nothing else; the writer gives the bytes that cosign itself would write.
 */
import { escapeAsGo } from '../encoding/canonical-json.js';
import { parseJsonStrict } from '../encoding/json.js';
import { printable } from '../encoding/utf8.js';
import { AgentError } from '../errors/agent-error.js';
import { isJsonObject } from './json-object.js';
import { SIMPLE_SIGNING_PREFIX, startsWith } from './prefixes.js';
import type { Statement, StatementFacts } from './statement.js';
import { unrecognised } from './unrecognised.js';

const KIND = 'oci.simple-signing';
const TYPE = 'cosign container image signature';
const SHOWN_ANNOTATIONS = 5;
const MAX_SHOWN_REFERENCE = 114;

const REFERENCE = /^[A-Za-z0-9][A-Za-z0-9._:/@-]{0,511}$/;
const DIGEST = /^sha256:[0-9a-f]{64}$/;

/** What a simple signing payload says. */
export interface SimpleSigning {
  /** docker-reference, as written: a repository, with or without tag or digest. */
  readonly reference: string;
  /** `sha256:` and 64 lower-case hex digits. */
  readonly digest: string;
  readonly optional: Readonly<Record<string, unknown>> | null;
}

/** The fields that a writer of ours sets; annotations are text only. */
export interface SimpleSigningFields {
  readonly reference: string;
  readonly digest: string;
  readonly optional?: Readonly<Record<string, string>> | undefined;
}

/**
 * Reads a payload.
 * @throws AgentError `statement.unrecognised`.
 */
export function parseSimpleSigning(bytes: Buffer): SimpleSigning {
  if (!startsWith(bytes, SIMPLE_SIGNING_PREFIX))
    throw unrecognised(KIND, 'they do not begin with {"critical":{');
  const payload = parseJsonStrict(bytes, `reading the bytes as ${KIND}`, 'statement.unrecognised');
  const [critical, optional] = exactFields(payload, 'the payload', ['critical', 'optional']);
  const [identity, image, type] = exactFields(critical, 'critical', ['identity', 'image', 'type']);
  const [reference] = exactFields(identity, 'identity', ['docker-reference']);
  const [digest] = exactFields(image, 'image', ['docker-manifest-digest']);
  if (type !== TYPE) throw unrecognised(KIND, `type is not "${TYPE}"`);
  if (typeof reference !== 'string' || !REFERENCE.test(reference)) {
    throw unrecognised(KIND, 'docker-reference is not an image reference');
  }
  if (typeof digest !== 'string' || !DIGEST.test(digest)) {
    throw unrecognised(KIND, 'docker-manifest-digest is not sha256: and 64 lower-case hex digits');
  }
  if (!isJsonObject(optional) && optional !== null)
    throw unrecognised(KIND, 'optional is neither an object nor null');
  return { reference, digest, optional };
}

/**
 * The payload as cosign writes it: no spaces, `optional` sorted by key and null when empty.
 * @throws AgentError `usage.invalid` naming the field.
 */
export function buildSimpleSigning(fields: SimpleSigningFields): Buffer {
  if (!REFERENCE.test(fields.reference)) throw invalid('the reference is not an image reference');
  if (!DIGEST.test(fields.digest)) throw invalid('the digest is not sha256: and 64 lower-case hex digits');
  const annotations = Object.entries(fields.optional ?? {}).sort(([a], [b]) =>
    Buffer.compare(utf8(a), utf8(b)),
  );
  if (annotations.some(([key]) => key === '__proto__'))
    throw invalid('an annotation may not be named __proto__');
  const payload = {
    critical: {
      identity: { 'docker-reference': fields.reference },
      image: { 'docker-manifest-digest': fields.digest },
      type: TYPE,
    },
  };
  const optional = annotations.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`);
  const written = optional.length === 0 ? 'null' : `{${optional.join(',')}}`;
  return utf8(escapeAsGo(`${JSON.stringify(payload).slice(0, -1)},"optional":${written}}`));
}

/** Reads a payload into facts; the repository is the reference without tag and digest. */
export function describeSimpleSigning(bytes: Buffer): Statement {
  const { reference, digest, optional } = parseSimpleSigning(bytes);
  const repository = repositoryOf(reference);
  if (repository === '') throw unrecognised(KIND, 'docker-reference names no repository');
  const shown =
    reference.length > MAX_SHOWN_REFERENCE ? printable(reference, MAX_SHOWN_REFERENCE) : reference;
  return {
    kind: KIND,
    repository,
    summary: [`image ${shown}`, digest],
    facts: factsOf(reference, digest, optional),
    blind: false,
  };
}

/** `host:5000/path:tag@sha256:...` without tag and digest. */
export function repositoryOf(reference: string): string {
  const at = reference.indexOf('@');
  const named = at === -1 ? reference : reference.slice(0, at);
  const colon = named.lastIndexOf(':');
  return colon > named.lastIndexOf('/') ? named.slice(0, colon) : named;
}

function factsOf(
  reference: string,
  digest: string,
  optional: Readonly<Record<string, unknown>> | null,
): StatementFacts {
  if (optional === null) return { reference, digest };
  const keys = Object.keys(optional);
  const annotationKeys = keys.slice(0, SHOWN_ANNOTATIONS).map((key) => printable(key, 64));
  return { reference, digest, annotations: keys.length, annotationKeys };
}

function exactFields(value: unknown, what: string, names: readonly string[]): readonly unknown[] {
  if (!isJsonObject(value)) throw unrecognised(KIND, `${what} is not an object`);
  let count = 0;
  for (const _ in value) count += 1;
  if (count !== names.length || !names.every((name) => Object.hasOwn(value, name))) {
    throw unrecognised(KIND, `${what} does not hold exactly ${names.join(', ')}`);
  }
  return names.map((name) => value[name]);
}

function utf8(text: string): Buffer {
  return Buffer.from(text, 'utf8');
}

function invalid(problem: string): AgentError {
  return new AgentError('usage.invalid', { message: `writing a simple signing payload: ${problem}` });
}
