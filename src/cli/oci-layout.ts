/** OCI image layouts (image-spec, image-layout.md): which manifest a folder, or a tag in it, names. */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { AgentError } from '../errors/agent-error.js';

const REF_NAME = 'org.opencontainers.image.ref.name';
const DIGEST = /^sha256:([0-9a-f]{64})$/;

interface Descriptor {
  readonly digest: string;
  readonly tag: string | undefined;
}

/**
 * Digest of the manifest that `folder` or `folder:TAG` names, `sha256:` and 64 hex digits. The manifest itself must be there and have that digest.
 * @throws AgentError usage.file, usage.invalid
 */
export function layoutDigest(layout: string): string {
  const { folder, tag } = splitLayout(layout);
  const descriptors = readIndex(folder);
  const fitting = tag === undefined ? descriptors : descriptors.filter((one) => one.tag === tag);
  const [chosen] = fitting;
  if (chosen === undefined || fitting.length > 1) throw notOne(layout, descriptors, fitting.length);
  checkManifest(folder, chosen.digest);
  return chosen.digest;
}

function splitLayout(layout: string): { readonly folder: string; readonly tag: string | undefined } {
  const colon = layout.lastIndexOf(':');
  if (colon <= 0 || existsSync(join(layout, 'index.json'))) return { folder: layout, tag: undefined };
  return { folder: layout.slice(0, colon), tag: layout.slice(colon + 1) };
}

function readIndex(folder: string): readonly Descriptor[] {
  const file = join(folder, 'index.json');
  const index = parseJson(file, readBytes(file)) as { readonly manifests?: unknown };
  if (!Array.isArray(index.manifests)) throw notALayout(file, 'it has no list of manifests');
  return index.manifests.map((entry: unknown) => {
    const descriptor = (entry ?? {}) as {
      readonly digest?: unknown;
      readonly annotations?: Record<string, unknown>;
    };
    if (typeof descriptor.digest !== 'string' || !DIGEST.test(descriptor.digest)) {
      throw notALayout(file, 'a manifest has no sha256 digest');
    }
    const tag = descriptor.annotations?.[REF_NAME];
    return { digest: descriptor.digest, tag: typeof tag === 'string' ? tag : undefined };
  });
}

function checkManifest(folder: string, digest: string): void {
  const hex = DIGEST.exec(digest)?.[1] ?? '';
  const file = join(folder, 'blobs', 'sha256', hex);
  const found = createHash('sha256').update(readBytes(file)).digest('hex');
  if (found !== hex) throw notALayout(file, `its content has the digest sha256:${found}`);
}

function readBytes(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (cause) {
    throw new AgentError('usage.file', {
      message: `reading the image layout: ${file}: ${(cause as NodeJS.ErrnoException).code ?? 'failed'}`,
      hint: 'name the folder that holds oci-layout, index.json and blobs',
      cause,
    });
  }
}

function parseJson(file: string, bytes: Buffer): object {
  try {
    const value: unknown = JSON.parse(bytes.toString('utf8'));
    if (typeof value === 'object' && value !== null) return value;
  } catch {
    // Falls through to the same error: neither text nor object.
  }
  throw notALayout(file, 'it is not a JSON object');
}

function notALayout(file: string, why: string): AgentError {
  return new AgentError('usage.invalid', { message: `reading the image layout: ${file}: ${why}` });
}

function notOne(layout: string, descriptors: readonly Descriptor[], count: number): AgentError {
  const tags = descriptors.flatMap(({ tag }) => (tag === undefined ? [] : [tag]));
  return new AgentError('usage.invalid', {
    message: `image layout ${layout}: ${count === 0 ? 'no manifest fits' : 'more than one manifest fits'}`,
    hint:
      tags.length === 0
        ? 'give the manifest with --digest'
        : `write FOLDER:TAG with one of: ${tags.join(', ')}`,
  });
}
