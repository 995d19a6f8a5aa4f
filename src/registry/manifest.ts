/** Manifests and indexes of the OCI image specification 1.1, as far as signatures need them. */
import { createHash } from 'node:crypto';
import { parseJsonStrict } from '../encoding/json.js';
import { AgentError } from '../errors/agent-error.js';

export const MANIFEST_TYPE = 'application/vnd.oci.image.manifest.v1+json';
export const INDEX_TYPE = 'application/vnd.oci.image.index.v1+json';

/** Every kind of manifest that an image can have; sent as `Accept`. */
export const IMAGE_TYPES = [
  MANIFEST_TYPE,
  INDEX_TYPE,
  'application/vnd.docker.distribution.manifest.v2+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
] as const;

export interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly artifactType?: string | undefined;
  readonly annotations?: Readonly<Record<string, string>> | undefined;
}

/** A manifest as the registry gave it. */
export interface StoredManifest {
  readonly descriptor: Descriptor;
  readonly content: Buffer;
}

export interface Manifest {
  readonly schemaVersion: 2;
  readonly mediaType: typeof MANIFEST_TYPE;
  readonly artifactType?: string | undefined;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
  readonly subject?: Descriptor | undefined;
  readonly annotations?: Readonly<Record<string, string>> | undefined;
}

/** The descriptor of content that carries nothing: the two bytes `{}`. */
export const EMPTY_JSON = Buffer.from('{}');
export const EMPTY_DESCRIPTOR: Descriptor = descriptorOf('application/vnd.oci.empty.v1+json', EMPTY_JSON);

const DIGEST = /^sha256:[0-9a-f]{64}$/;

/** Digest of content, `sha256:` and hex. */
export function digestOf(content: Uint8Array): string {
  return `sha256:${createHash('sha256').update(content).digest('hex')}`;
}

export function descriptorOf(mediaType: string, content: Uint8Array): Descriptor {
  return { mediaType, digest: digestOf(content), size: content.length };
}

/**
 * Reads a manifest with layers; unknown fields are dropped, which is right only for what is not written back.
 * @throws AgentError `registry.reply`
 */
export function readManifest(content: Buffer): Manifest {
  const fields = readObject(content);
  if (!Array.isArray(fields['layers'])) throw malformed('it has no layers');
  const { artifactType, subject } = fields;
  return {
    schemaVersion: 2,
    mediaType: MANIFEST_TYPE,
    config: readDescriptor(fields['config']),
    layers: fields['layers'].map(readDescriptor),
    ...(typeof artifactType === 'string' ? { artifactType } : {}),
    ...(subject === undefined ? {} : { subject: readDescriptor(subject) }),
    annotations: readAnnotations(fields['annotations']),
  };
}

/** Descriptors of an index. @throws AgentError `registry.reply` */
export function readIndex(content: Buffer): readonly Descriptor[] {
  const { manifests } = readObject(content);
  if (!Array.isArray(manifests)) throw malformed('it has no manifests');
  return manifests.map(readDescriptor);
}

/** An index with one more descriptor; whatever else stands in it, also what this release does not know, stays as it is. */
export function extendIndex(content: Buffer | undefined, entry: Descriptor): Buffer {
  if (content === undefined) return toJson({ schemaVersion: 2, mediaType: INDEX_TYPE, manifests: [entry] });
  const fields = readObject(content);
  const { manifests } = fields;
  return toJson({
    ...fields,
    manifests: [...(Array.isArray(manifests) ? (manifests as unknown[]) : []), entry],
  });
}

/** A manifest with one more layer and another config; whatever else stands in it stays as it is. */
export function extendManifest(content: Buffer | undefined, config: Descriptor, layer: Descriptor): Buffer {
  if (content === undefined)
    return toJson({ schemaVersion: 2, mediaType: MANIFEST_TYPE, config, layers: [layer] });
  const fields = readObject(content);
  const { layers } = fields;
  return toJson({
    ...fields,
    config,
    layers: [...(Array.isArray(layers) ? (layers as unknown[]) : []), layer],
  });
}

function toJson(value: object): Buffer {
  return Buffer.from(JSON.stringify(value));
}

function readDescriptor(value: unknown): Descriptor {
  const fields = isObject(value) ? value : {};
  const { mediaType, digest, size, artifactType } = fields;
  if (typeof mediaType !== 'string' || typeof digest !== 'string' || !DIGEST.test(digest))
    throw malformed('a descriptor has no media type or no sha256 digest');
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0)
    throw malformed('a descriptor has no size');
  return {
    mediaType,
    digest,
    size,
    ...(typeof artifactType === 'string' ? { artifactType } : {}),
    annotations: readAnnotations(fields['annotations']),
  };
}

function readAnnotations(value: unknown): Readonly<Record<string, string>> | undefined {
  if (!isObject(value)) return undefined;
  const entries = Object.entries(value).filter(
    (entry): entry is [string, string] => typeof entry[1] === 'string',
  );
  return Object.fromEntries(entries);
}

function readObject(content: Buffer): Readonly<Record<string, unknown>> {
  const value = parseJsonStrict(content, 'reading a manifest', 'registry.reply');
  if (!isObject(value)) throw malformed('it is not an object');
  return value;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function malformed(problem: string): AgentError {
  return new AgentError('registry.reply', { message: `reading a manifest: ${problem}` });
}
