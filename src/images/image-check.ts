/** Judging what is stored beside an image: each finding says which form it has, and who signed it or why it does not count. */
import { pae } from '../encoding/dsse-pae.js';
import { asAgentError } from '../errors/agent-error.js';
import { decodeEnvelope, type DsseEnvelope } from '../formats/dsse.js';
import { IN_TOTO_TYPE, parseInToto } from '../formats/in-toto.js';
import { COSIGN_SIGN_PREDICATE } from '../formats/in-toto-statement.js';
import { decodeBundle } from '../formats/sigstore-bundle.js';
import { parseSimpleSigning, repositoryOf } from '../formats/simple-signing.js';
import type { SimpleSignature } from './cosign-tags.js';

/** Name of the trusted key that signed `message`, if one did; `signature` is DER for ECDSA. */
export type FindSigner = (message: Buffer, signature: Buffer) => string | undefined;

export interface Finding {
  readonly form: 'simple-signing' | 'bundle' | 'notation' | 'attestation';
  /** The key that signed; absent when it does not count. */
  readonly key?: string | undefined;
  readonly problem?: string | undefined;
}

export interface ExpectedImage {
  readonly digest: string;
  /** Registry and repository that a simple signing payload must state. */
  readonly repository: string;
}

export interface FoundAttestation extends Finding {
  readonly predicateType?: string | undefined;
  /** The in-toto statement, once its signature is good. */
  readonly payload?: Buffer | undefined;
}

/** Cosign's older form. */
export function checkSimpleSignature(
  stored: SimpleSignature,
  image: ExpectedImage,
  findSigner: FindSigner,
): Finding {
  const form = 'simple-signing';
  return judged(form, () => {
    const key = findSigner(stored.payload, stored.signature);
    if (key === undefined) return { form, problem: 'not by the given key' };
    const { digest, reference } = parseSimpleSigning(stored.payload);
    if (digest !== image.digest) return { form, problem: `it is about another image, ${digest}` };
    if (repositoryOf(reference) !== image.repository)
      return { form, problem: `it states another repository, ${repositoryOf(reference)}` };
    return { form, key };
  });
}

/** A bundle that states nothing but the image. Undefined for bundles with an attestation. */
export function checkBundle(
  bundle: Buffer,
  image: ExpectedImage,
  findSigner: FindSigner,
): Finding | undefined {
  const form = 'bundle';
  const found = checkStatement(() => decodeBundle(bundle), image, findSigner);
  if (found.predicateType === undefined) return { form, problem: found.problem };
  return found.predicateType === COSIGN_SIGN_PREDICATE
    ? { form, key: found.key, problem: found.problem }
    : undefined;
}

/** A bundle or a bare envelope with an attestation about the image. */
export function checkAttestation(
  stored: Buffer,
  isBundle: boolean,
  image: ExpectedImage,
  findSigner: FindSigner,
): FoundAttestation {
  return checkStatement(() => (isBundle ? decodeBundle(stored) : decodeEnvelope(stored)), image, findSigner);
}

function checkStatement(
  decode: () => DsseEnvelope,
  image: ExpectedImage,
  findSigner: FindSigner,
): FoundAttestation {
  const form = 'attestation';
  return judged<FoundAttestation>(form, () => {
    const { payloadType, payload, signatures } = decode();
    const message = pae(payloadType, payload);
    const key = signatures.map(({ sig }) => findSigner(message, sig)).find((name) => name !== undefined);
    if (key === undefined) return { form, problem: 'not by the given key' };
    if (payloadType !== IN_TOTO_TYPE) return { form, problem: 'it is not an in-toto statement' };
    const { predicateType, subjects } = parseInToto(payload);
    if (!subjects.some(({ digests }) => digests.includes(image.digest)))
      return { form, predicateType, problem: 'it is about another image' };
    return { form, predicateType, key, payload };
  });
}

function judged<T extends Finding>(form: T['form'], judge: () => T): T | Finding {
  try {
    return judge();
  } catch (thrown) {
    return { form, problem: asAgentError(thrown).message };
  }
}
