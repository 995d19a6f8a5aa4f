/** `touchstone sign image REGISTRY/NAME`: signs what the registry holds and stores the signature beside it. */
import type { DerivedAlgorithm } from '../../crypto/algorithms.js';
import { verifySignature } from '../../crypto/verify.js';
import { ImageSignature } from '../../images/image-signature.js';
import { repositoryName } from '../../registry/image-reference.js';
import type { CommandResult, Invocation } from '../command.js';
import type { CliContext } from '../context.js';
import { writeOutput } from '../output-file.js';
import { rawSignature } from '../raw-signature.js';
import { openImage } from '../registry-options.js';
import { encodeSignature, requireCosignAlgorithm, signWithKey } from '../signing.js';

/** Signs one image in a registry, in one decision. */
export async function signRegistryImage(
  context: CliContext,
  { options, args }: Invocation,
  annotations: Readonly<Record<string, string>>,
): Promise<CommandResult> {
  const image = await openImage(context, options, args[0] ?? '');
  const subject = image.manifest.descriptor;
  const { digest } = subject;
  const reference = options.text('reference') ?? repositoryName(image.reference);
  const signature = new ImageSignature({ reference, digest, optional: annotations });
  const { simple, statement } = signature;
  const { key, signatures } = await signWithKey(context, options.requiredText('key'), [simple, statement]);
  const [first, second] = signatures.map((signed) => encodeSignature(key, signed.signature));
  const spki = Buffer.from(key.publicKey ?? '', 'base64');
  const algorithm = requireCosignAlgorithm(key);
  const bundle = await signature.publish(
    { repository: image.repository, subject, spki },
    first ?? Buffer.alloc(0),
    second ?? Buffer.alloc(0),
    (payload, stored) => isBy(spki, algorithm, payload, stored),
  );
  const payloadOut = options.text('payload-out');
  const signatureOut = options.text('signature-out');
  if (payloadOut !== undefined) writeOutput(context, payloadOut, simple.payload);
  if (signatureOut !== undefined) writeOutput(context, signatureOut, first ?? Buffer.alloc(0));
  context.note(
    `touchstone: signed ${image.repository.name} ${digest} with ${key.name}: tag and bundle stored`,
  );
  const json = {
    key: key.name,
    keyId: key.keyId,
    auditIds: signatures.map(({ auditId }) => auditId),
    digest,
    reference,
    bundle,
    payload: simple.payload.toString('base64'),
    signature: first?.toString('base64'),
  };
  return { json, text: '' };
}

function isBy(spki: Buffer, algorithm: DerivedAlgorithm, payload: Buffer, stored: Buffer): boolean {
  try {
    return verifySignature(spki, algorithm, payload, rawSignature(algorithm, stored));
  } catch {
    // Somebody else's signature, of another form: not ours.
    return false;
  }
}
