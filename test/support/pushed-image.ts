/** Puts a small image into a registry with this project's own client. */
import { descriptorOf, MANIFEST_TYPE } from '../../src/registry/manifest.js';
import type { Repository } from '../../src/registry/repository.js';

/** Answers the digest of the manifest; `salt` makes images differ. */
export async function pushImage(repository: Repository, tag: string, salt = ''): Promise<string> {
  const config = Buffer.from(
    JSON.stringify({ architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: [] } }),
  );
  const layer = Buffer.from(`layer ${salt}`);
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MANIFEST_TYPE,
      config: await repository.putBlob('application/vnd.oci.image.config.v1+json', config),
      layers: [await repository.putBlob('application/vnd.oci.image.layer.v1.tar', layer)],
    }),
  );
  await repository.putManifest(tag, MANIFEST_TYPE, manifest);
  return descriptorOf(MANIFEST_TYPE, manifest).digest;
}
