/** Manifests, blobs and referrers of one repository (OCI distribution specification 1.1). Everything read is checked against its digest. */
import { AgentError } from '../errors/agent-error.js';
import type { ImageReference } from './image-reference.js';
import {
  descriptorOf,
  digestOf,
  extendIndex,
  IMAGE_TYPES,
  INDEX_TYPE,
  MANIFEST_TYPE,
  readIndex,
  type Descriptor,
  type Manifest,
  type StoredManifest,
} from './manifest.js';
import { registrySession, type SessionOptions } from './registry-session.js';
import type { ServerSession } from './session.js';
import { editTag, settled } from './tag-edit.js';

const MAX_MANIFEST_BYTES = 4 * 1024 * 1024;
const MAX_BLOB_BYTES = 16 * 1024 * 1024;
const MAX_REFERRER_PAGES = 20;
/** Error code of the OCI distribution specification. */
const BLOB_UNKNOWN = 'MANIFEST_BLOB_UNKNOWN';

export class Repository {
  readonly #session: ServerSession;

  constructor(reference: ImageReference, options: SessionOptions) {
    this.#session = registrySession(reference, options);
  }

  /** `HOST/NAME`. */
  get name(): string {
    return this.#session.name;
  }

  /** A manifest by tag or digest, or undefined. @throws AgentError `registry.…` */
  async findManifest(tagOrDigest: string): Promise<StoredManifest | undefined> {
    const headers = { accept: IMAGE_TYPES.join(', ') };
    const path = `manifests/${tagOrDigest}`;
    const reply = await this.#session.call({ method: 'GET', path, headers, maxBytes: MAX_MANIFEST_BYTES });
    if (reply.status === 404) return undefined;
    if (reply.status !== 200) throw this.#session.unexpected(`reading ${tagOrDigest}`, reply.status);
    const mediaType = (reply.headers['content-type'] ?? MANIFEST_TYPE).split(';')[0] ?? MANIFEST_TYPE;
    const descriptor = descriptorOf(mediaType.trim(), reply.body);
    if (tagOrDigest.includes(':') && descriptor.digest !== tagOrDigest) throw this.#wrongContent(tagOrDigest);
    return { descriptor, content: reply.body };
  }

  /** As `findManifest`. @throws AgentError `registry.missing` */
  async manifest(tagOrDigest: string): Promise<StoredManifest> {
    const found = await this.findManifest(tagOrDigest);
    if (found !== undefined) return found;
    throw new AgentError('registry.missing', { message: `${this.name}: the registry has no ${tagOrDigest}` });
  }

  /**
   * Stores a manifest under a tag or its digest; answers whether the registry itself lists it as a referrer.
   * @throws AgentError `registry.busy` when the registry does not know one of its blobs, `registry.…`
   */
  async putManifest(tagOrDigest: string, mediaType: string, content: Buffer): Promise<boolean> {
    const reply = await this.#session.call({
      method: 'PUT',
      path: `manifests/${tagOrDigest}`,
      headers: { 'content-type': mediaType },
      body: content,
      maxBytes: MAX_MANIFEST_BYTES,
    });
    if (reply.status === 400 && reply.body.includes(BLOB_UNKNOWN)) {
      throw new AgentError('registry.busy', {
        message: `writing ${tagOrDigest} at ${this.name}: the registry does not know a blob that it was given before`,
      });
    }
    if (reply.status !== 201) throw this.#session.unexpected(`writing ${tagOrDigest}`, reply.status);
    return reply.headers['oci-subject'] !== undefined;
  }

  /** A blob by descriptor. @throws AgentError `registry.missing`, `registry.reply` */
  async blob(descriptor: Descriptor): Promise<Buffer> {
    const { digest } = descriptor;
    const path = `blobs/${digest}`;
    const reply = await this.#session.call({ method: 'GET', path, maxBytes: MAX_BLOB_BYTES });
    if (reply.status === 404)
      throw new AgentError('registry.missing', { message: `${this.name}: the registry has no ${digest}` });
    if (reply.status !== 200) throw this.#session.unexpected(`reading ${digest}`, reply.status);
    if (digestOf(reply.body) !== digest) throw this.#wrongContent(digest);
    return reply.body;
  }

  /** Uploads a blob in one piece unless it is there. */
  async putBlob(mediaType: string, content: Buffer): Promise<Descriptor> {
    const descriptor = descriptorOf(mediaType, content);
    const { digest } = descriptor;
    const there = await this.#session.call({ method: 'HEAD', path: `blobs/${digest}`, maxBytes: 0 });
    if (there.status === 200) return descriptor;
    const begun = await this.#session.call({
      method: 'POST',
      path: 'blobs/uploads/',
      maxBytes: MAX_MANIFEST_BYTES,
    });
    const { location } = begun.headers;
    if (begun.status !== 202 || location === undefined)
      throw this.#session.unexpected('beginning an upload', begun.status);
    const path = this.#session.resolve(location);
    path.searchParams.set('digest', digest);
    const headers = { 'content-type': 'application/octet-stream' };
    const done = await this.#session.call({
      method: 'PUT',
      path,
      headers,
      body: content,
      maxBytes: MAX_MANIFEST_BYTES,
    });
    if (done.status !== 201) throw this.#session.unexpected(`uploading ${digest}`, done.status);
    return descriptor;
  }

  /** Manifests that name `digest` as their subject: from the referrers API, else from the fallback tag. */
  async referrers(digest: string): Promise<readonly Descriptor[]> {
    const listed = await this.#listReferrers(digest);
    if (listed !== undefined) return listed;
    const index = await this.findManifest(fallbackTag(digest));
    return index === undefined ? [] : readIndex(index.content);
  }

  /**
   * Stores an artifact that refers to its subject. Where the registry keeps no list of referrers, the list under the fallback tag is
   * kept here, without losing what others add at the same time.
   */
  async attach(manifest: Manifest & { readonly subject: Descriptor }): Promise<Descriptor> {
    const content = Buffer.from(JSON.stringify(manifest));
    const stored = descriptorOf(MANIFEST_TYPE, content);
    const { artifactType, annotations, subject } = manifest;
    const isListed = await settled(() => this.putManifest(stored.digest, MANIFEST_TYPE, content));
    if (isListed) return stored;
    const entry: Descriptor = { ...stored, artifactType, annotations };
    await editTag(this, {
      tag: fallbackTag(subject.digest),
      mediaType: INDEX_TYPE,
      isDone: (current) => current !== undefined && hasDescriptor(readIndex(current), stored.digest),
      edit: (current) => Promise.resolve(extendIndex(current, entry)),
    });
    return stored;
  }

  async #listReferrers(digest: string): Promise<readonly Descriptor[] | undefined> {
    const found: Descriptor[] = [];
    let path: string | URL = `referrers/${digest}`;
    for (let page = 0; page < MAX_REFERRER_PAGES; page += 1) {
      const headers = { accept: INDEX_TYPE };
      const reply = await this.#session.call({ method: 'GET', path, headers, maxBytes: MAX_MANIFEST_BYTES });
      // Registries before 1.1 answer 404, some gateways with a page of their own.
      if (reply.status !== 200 || !(reply.headers['content-type'] ?? '').startsWith(INDEX_TYPE))
        return undefined;
      found.push(...readIndex(reply.body));
      const next = /<([^>]+)>\s*;\s*rel="?next"?/.exec(String(reply.headers['link'] ?? ''))?.[1];
      if (next === undefined) return found;
      path = this.#session.resolve(next);
    }
    throw new AgentError('registry.reply', { message: `${this.name}: the list of referrers does not end` });
  }

  #wrongContent(digest: string): AgentError {
    return new AgentError('registry.reply', {
      message: `${this.name}: the content of ${digest} has another digest`,
    });
  }
}

/** Where clients keep the list for registries without the referrers API. */
function fallbackTag(digest: string): string {
  return digest.replace(':', '-');
}

function hasDescriptor(descriptors: readonly Descriptor[], digest: string): boolean {
  return descriptors.some((one) => one.digest === digest);
}
