/** One signature of an image in every form that the world reads: cosign's older tag and the bundle as a referrer. */
import { pae } from '../encoding/dsse-pae.js';
import { encodeEnvelope } from '../formats/dsse.js';
import { IN_TOTO_TYPE } from '../formats/in-toto.js';
import { buildInToto, COSIGN_SIGN_PREDICATE } from '../formats/in-toto-statement.js';
import { encodeBundle } from '../formats/sigstore-bundle.js';
import { buildSimpleSigning, type SimpleSigningFields } from '../formats/simple-signing.js';
import type { Descriptor } from '../registry/manifest.js';
import type { Repository } from '../registry/repository.js';
import { publishBundle } from './bundle-referrers.js';
import { publishEnvelope, publishSimpleSignature, type IsOwn } from './cosign-tags.js';

/** Bytes to sign and the kind they are of. */
export interface ToSign {
  readonly kind: string;
  readonly payload: Buffer;
}

export interface Publication {
  readonly repository: Repository;
  readonly subject: Descriptor;
  /** DER SubjectPublicKeyInfo of the signer. */
  readonly spki: Buffer;
}

/** What is signed for one image: the simple signing payload, and the statement of the bundle. */
export class ImageSignature {
  readonly simple: ToSign;
  readonly statement: ToSign;
  readonly #body: Buffer;

  /** @throws AgentError `usage.invalid` naming the field */
  constructor(fields: SimpleSigningFields) {
    this.simple = { kind: 'oci.simple-signing', payload: buildSimpleSigning(fields) };
    this.#body = buildInToto({
      digest: fields.digest,
      annotations: fields.optional,
      predicateType: COSIGN_SIGN_PREDICATE,
      predicate: {},
    });
    this.statement = { kind: `dsse:${IN_TOTO_TYPE}`, payload: pae(IN_TOTO_TYPE, this.#body) };
  }

  /**
   * Stores both signatures, DER for ECDSA; answers the digest of the bundle's artifact.
   * @throws AgentError `registry.…`
   */
  async publish(
    to: Publication,
    simpleSignature: Buffer,
    statementSignature: Buffer,
    isOwn: IsOwn,
  ): Promise<string> {
    const { repository, subject, spki } = to;
    const simple = { payload: this.simple.payload, signature: simpleSignature };
    await publishSimpleSignature(repository, subject.digest, simple, isOwn);
    const keyed = { payloadType: IN_TOTO_TYPE, payload: this.#body, signature: statementSignature, spki };
    const stored = await publishBundle(repository, subject, encodeBundle(keyed), COSIGN_SIGN_PREDICATE);
    return stored.digest;
  }
}

/** Stores a signed in-toto statement in both forms; answers the digest of the bundle's artifact. */
export async function publishAttestation(
  to: Publication,
  statement: { readonly body: Buffer; readonly signature: Buffer; readonly predicateType: string },
): Promise<string> {
  const { repository, subject, spki } = to;
  const { body, signature, predicateType } = statement;
  const envelope = encodeEnvelope({
    payloadType: IN_TOTO_TYPE,
    payload: body,
    signatures: [{ sig: signature }],
  });
  await publishEnvelope(repository, subject.digest, Buffer.from(envelope.trimEnd()), predicateType);
  const bundle = encodeBundle({ payloadType: IN_TOTO_TYPE, payload: body, signature, spki });
  return (await publishBundle(repository, subject, bundle, predicateType)).digest;
}
