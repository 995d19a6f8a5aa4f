/** Notation signatures as OCI artifacts that refer to an image (notaryproject specifications, signature-specification, storage). */
import { createHash } from 'node:crypto';
import { EMPTY_JSON, MANIFEST_TYPE, readManifest, type Descriptor } from '../registry/manifest.js';
import type { Repository } from '../registry/repository.js';

const SIGNATURE_TYPE = 'application/vnd.cncf.notary.signature';
const JWS_TYPE = 'application/jose+json';
/** Signatures of one image that are read; more is an attack on the reader. */
const MAX_SIGNATURES = 200;

/** Stores an envelope. @param chain DER, leaf first. */
export async function publishNotation(
  repository: Repository,
  subject: Descriptor,
  envelope: Buffer,
  chain: readonly Buffer[],
): Promise<Descriptor> {
  const { mediaType, digest, size } = subject;
  const thumbprints = chain.map((one) => createHash('sha256').update(one).digest('hex'));
  return repository.attach({
    schemaVersion: 2,
    mediaType: MANIFEST_TYPE,
    artifactType: SIGNATURE_TYPE,
    // Notation before 1.1 knows the artifact by the type of its config.
    config: await repository.putBlob(SIGNATURE_TYPE, EMPTY_JSON),
    layers: [await repository.putBlob(JWS_TYPE, envelope)],
    subject: { mediaType, digest, size },
    annotations: {
      'io.cncf.notary.x509chain.thumbprint#S256': JSON.stringify(thumbprints),
      'org.opencontainers.image.created': new Date().toISOString().replace(/\.\d{3}Z$/, 'Z'),
    },
  });
}

/** Every JWS envelope that refers to `digest`. */
export async function readNotation(repository: Repository, digest: string): Promise<readonly Buffer[]> {
  const artifacts = (await repository.referrers(digest)).filter((one) => one.artifactType === SIGNATURE_TYPE);
  const envelopes: Buffer[] = [];
  for (const artifact of artifacts.slice(-MAX_SIGNATURES)) {
    const { content } = await repository.manifest(artifact.digest);
    const [layer] = readManifest(content).layers;
    if (layer?.mediaType === JWS_TYPE) envelopes.push(await repository.blob(layer));
  }
  return envelopes;
}
