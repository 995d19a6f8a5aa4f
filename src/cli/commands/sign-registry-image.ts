/** `touchstone sign image REGISTRY/NAME`: signs what the registry holds and stores the signature beside it. */
import type { DerivedAlgorithm } from '../../crypto/algorithms.js';
import { verifySignature } from '../../crypto/verify.js';
import { AgentError } from '../../errors/agent-error.js';
import { ImageSignature } from '../../images/image-signature.js';
import { repositoryName } from '../../registry/image-reference.js';
import type { CommandResult, Invocation } from '../command.js';
import type { CliContext } from '../context.js';
import { NotationOrder } from '../notation-order.js';
import type { OptionValues } from '../option-values.js';
import { writeOutput } from '../output-file.js';
import { rawSignature } from '../raw-signature.js';
import { openImage } from '../registry-options.js';
import { encodeSignature, requireCosignAlgorithm, signStatementsShown } from '../signing.js';

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
  const keyName = options.requiredText('key');
  const notation = await NotationOrder.find(context, keyName, subject);
  const [first, second, third] = await signStatementsShown(context, [
    { ...simple, key: keyName },
    { ...statement, key: keyName },
    ...(notation === undefined ? [] : [notation]),
  ]);
  if (first === undefined || second === undefined) throw new AgentError('internal.unexpected');
  const { key } = first;
  const algorithm = requireCosignAlgorithm(key);
  if (third !== undefined) notation?.requireKey(third.key);
  const spki = Buffer.from(key.publicKey ?? '', 'base64');
  const simpleSignature = encodeSignature(key, first.signature);
  const bundle = await signature.publish(
    { repository: image.repository, subject, spki },
    simpleSignature,
    encodeSignature(key, second.signature),
    (payload, stored) => isBy(spki, algorithm, payload, stored),
  );
  if (third !== undefined) await notation?.publish(image.repository, subject, third.signature);
  writeParts(context, options, simple.payload, simpleSignature);
  const stored = third === undefined ? 'tag and bundle' : 'tag, bundle and Notation signature';
  context.note(`touchstone: signed ${image.repository.name} ${digest} with ${key.name}: ${stored} stored`);
  const json = {
    key: key.name,
    keyId: key.keyId,
    auditIds: [first, second, third].flatMap((one) => one?.auditId ?? []),
    digest,
    reference,
    bundle,
    notation: third !== undefined,
    payload: simple.payload.toString('base64'),
    signature: simpleSignature.toString('base64'),
  };
  return { json, text: '' };
}

function writeParts(context: CliContext, options: OptionValues, payload: Buffer, signature: Buffer): void {
  const payloadOut = options.text('payload-out');
  const signatureOut = options.text('signature-out');
  if (payloadOut !== undefined) writeOutput(context, payloadOut, payload);
  if (signatureOut !== undefined) writeOutput(context, signatureOut, signature);
}

function isBy(spki: Buffer, algorithm: DerivedAlgorithm, payload: Buffer, stored: Buffer): boolean {
  try {
    return verifySignature(spki, algorithm, payload, rawSignature(algorithm, stored));
  } catch {
    // Somebody else's signature, of another form: not ours.
    return false;
  }
}
