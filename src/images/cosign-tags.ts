/**
 * Cosign's older storage, which most readers still look at: one image manifest per subject under a tag made of its digest, with one
 * layer per signature (`.sig`) or attestation (`.att`).
 */
import { encodeBase64 } from '../encoding/base64.js';
import {
  descriptorOf,
  extendManifest,
  MANIFEST_TYPE,
  readManifest,
  type Descriptor,
} from '../registry/manifest.js';
import type { Repository } from '../registry/repository.js';
import { editTag } from '../registry/tag-edit.js';

const SIMPLE_SIGNING_TYPE = 'application/vnd.dev.cosign.simplesigning.v1+json';
const ENVELOPE_TYPE = 'application/vnd.dsse.envelope.v1+json';
const CONFIG_TYPE = 'application/vnd.oci.image.config.v1+json';
const SIGNATURE_ANNOTATION = 'dev.cosignproject.cosign/signature';

export interface SimpleSignature {
  readonly payload: Buffer;
  /** As stored: DER for ECDSA. */
  readonly signature: Buffer;
}

/** Whether a stored signature over a payload is by the signer at hand. */
export type IsOwn = (payload: Buffer, signature: Buffer) => boolean;

/** Adds a signature to the `.sig` tag of `digest`, unless the signer's own over the same payload is there. */
export async function publishSimpleSignature(
  repository: Repository,
  digest: string,
  signed: SimpleSignature,
  isOwn: IsOwn,
): Promise<void> {
  const blob = await repository.putBlob(SIMPLE_SIGNING_TYPE, signed.payload);
  const layer = { ...blob, annotations: { [SIGNATURE_ANNOTATION]: encodeBase64(signed.signature) } };
  await appendLayer(repository, cosignTag(digest, 'sig'), layer, (other) => {
    if (other.digest !== layer.digest) return false;
    const stored = signatureOf(other);
    return stored.equals(signed.signature) || isOwn(signed.payload, stored);
  });
}

/** Adds a DSSE envelope to the `.att` tag of `digest`. */
export async function publishEnvelope(
  repository: Repository,
  digest: string,
  envelope: Buffer,
  predicateType: string,
): Promise<void> {
  const blob = await repository.putBlob(ENVELOPE_TYPE, envelope);
  // Cosign looks for the annotation even where the signature is inside of the envelope.
  const layer = { ...blob, annotations: { [SIGNATURE_ANNOTATION]: '', predicateType } };
  await appendLayer(repository, cosignTag(digest, 'att'), layer, (other) => other.digest === layer.digest);
}

/** Every signature under the `.sig` tag of `digest`. */
export async function readSimpleSignatures(
  repository: Repository,
  digest: string,
): Promise<readonly SimpleSignature[]> {
  const layers = await layersUnder(repository, cosignTag(digest, 'sig'), SIMPLE_SIGNING_TYPE);
  return Promise.all(
    layers.map(async (layer) => ({ payload: await repository.blob(layer), signature: signatureOf(layer) })),
  );
}

/** Every envelope under the `.att` tag of `digest`, as bytes. */
export async function readEnvelopes(repository: Repository, digest: string): Promise<readonly Buffer[]> {
  const layers = await layersUnder(repository, cosignTag(digest, 'att'), ENVELOPE_TYPE);
  return Promise.all(layers.map((layer) => repository.blob(layer)));
}

function cosignTag(digest: string, suffix: 'sig' | 'att'): string {
  return `${digest.replace(':', '-')}.${suffix}`;
}

function signatureOf(layer: Descriptor): Buffer {
  return Buffer.from(layer.annotations?.[SIGNATURE_ANNOTATION] ?? '', 'base64');
}

async function layersUnder(
  repository: Repository,
  tag: string,
  mediaType: string,
): Promise<readonly Descriptor[]> {
  const stored = await repository.findManifest(tag);
  return stored === undefined
    ? []
    : readManifest(stored.content).layers.filter((layer) => layer.mediaType === mediaType);
}

function appendLayer(
  repository: Repository,
  tag: string,
  layer: Descriptor,
  isSame: (other: Descriptor) => boolean,
): Promise<void> {
  const layersIn = (current: Buffer | undefined): readonly Descriptor[] =>
    current === undefined ? [] : readManifest(current).layers;
  return editTag(repository, {
    tag,
    mediaType: MANIFEST_TYPE,
    isDone: (current) => layersIn(current).some(isSame),
    edit: async (current) => {
      const config = imageConfig([...layersIn(current), layer]);
      await repository.putBlob(CONFIG_TYPE, config);
      return extendManifest(current, descriptorOf(CONFIG_TYPE, config), layer);
    },
  });
}

/** The config that makes the list of signatures pass for an image with that many layers. */
function imageConfig(layers: readonly Descriptor[]): Buffer {
  const rootfs = { type: 'layers', diff_ids: layers.map(({ digest }) => digest) };
  return Buffer.from(JSON.stringify({ architecture: '', os: '', config: {}, rootfs }));
}
