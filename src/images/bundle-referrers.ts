/** Sigstore bundles as OCI 1.1 artifacts that refer to an image: where cosign 3 puts and looks for signatures and attestations. */
import { BUNDLE_TYPE, isBundleType } from '../formats/sigstore-bundle.js';
import {
  EMPTY_DESCRIPTOR,
  EMPTY_JSON,
  MANIFEST_TYPE,
  readManifest,
  type Descriptor,
} from '../registry/manifest.js';
import type { Repository } from '../registry/repository.js';

/** Bundles of one image that are read; more is an attack on the reader. */
const MAX_BUNDLES = 200;

/** Stores a bundle; answers the descriptor of its artifact. */
export async function publishBundle(
  repository: Repository,
  subject: Descriptor,
  bundle: Buffer,
  predicateType: string,
): Promise<Descriptor> {
  await repository.putBlob(EMPTY_DESCRIPTOR.mediaType, EMPTY_JSON);
  const layer = await repository.putBlob(BUNDLE_TYPE, bundle);
  const { mediaType, digest, size } = subject;
  return repository.attach({
    schemaVersion: 2,
    mediaType: MANIFEST_TYPE,
    artifactType: BUNDLE_TYPE,
    config: EMPTY_DESCRIPTOR,
    layers: [layer],
    subject: { mediaType, digest, size },
    annotations: {
      'dev.sigstore.bundle.content': 'dsse-envelope',
      'dev.sigstore.bundle.predicateType': predicateType,
      'org.opencontainers.image.created': new Date().toISOString().replace(/\.\d{3}Z$/, 'Z'),
    },
  });
}

/** Bytes of every bundle that refers to `digest`. */
export async function readBundles(repository: Repository, digest: string): Promise<readonly Buffer[]> {
  const artifacts = (await repository.referrers(digest)).filter((one) =>
    isBundleType(one.artifactType ?? ''),
  );
  const bundles: Buffer[] = [];
  for (const artifact of artifacts.slice(-MAX_BUNDLES)) {
    const { content } = await repository.manifest(artifact.digest);
    const [layer] = readManifest(content).layers;
    if (layer !== undefined) bundles.push(await repository.blob(layer));
  }
  return bundles;
}
