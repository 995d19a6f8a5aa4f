/** `touchstone verify image`: a simple signing payload, its signature, and the image they are about. */
import { AgentError, asAgentError } from '../../errors/agent-error.js';
import { parseSimpleSigning, repositoryOf, type SimpleSigning } from '../../formats/simple-signing.js';
import type { CommandResult, Invocation } from '../command.js';
import type { CliContext } from '../context.js';
import { readInput } from '../input-file.js';
import { rawSignature } from '../raw-signature.js';
import { isRegistryImage } from '../registry-options.js';
import { findSigner, verificationKeys } from '../verification-keys.js';
import { imageDigest } from './sign-image.js';

const BASE64 = /^[A-Za-z0-9+/]+={0,2}\s*$/;

/** Verifies one payload, and that it speaks of the image that was named. */
export async function verifyImage(context: CliContext, invocation: Invocation): Promise<CommandResult> {
  const { options } = invocation;
  if (isRegistryImage(invocation.args[0] ?? '') && options.text('payload') === undefined) {
    const { verifyRegistryImage } = await import('./verify-registry-image.js');
    return verifyRegistryImage(context, invocation);
  }
  const keys = await verificationKeys(context, options);
  const payload = await readInput(options.requiredText('payload'));
  const stored = storedSignature(await readInput(options.requiredText('signature')));
  const signer = findSigner(keys, payload, (algorithm) => rawSignature(algorithm, stored));
  if (signer === undefined) throw failed('the signature is not by the given key over this payload');
  const statement = readPayload(payload);
  const isNamed = invocation.args[0] !== undefined || options.text('digest') !== undefined;
  if (isNamed && imageDigest(invocation) !== statement.digest)
    throw failed(`it is about another image, ${statement.digest}`);
  const reference = options.text('reference');
  if (
    reference !== undefined &&
    reference !== statement.reference &&
    reference !== repositoryOf(statement.reference)
  ) {
    throw failed(`it states another reference, ${statement.reference}`);
  }
  if (!isNamed) context.note('touchstone: no image was named: compare the digest yourself, or add --digest');
  const { digest, optional } = statement;
  const json = {
    verified: true,
    digest,
    reference: statement.reference,
    optional,
    key: signer.name,
    keyId: signer.keyId,
  };
  return { json, text: `good: ${statement.reference} ${digest}, signed with ${signer.name}` };
}

/** Cosign stores base64, OpenSSL writes DER. */
function storedSignature(bytes: Buffer): Buffer {
  const text = bytes.toString('latin1');
  return BASE64.test(text) ? Buffer.from(text, 'base64') : bytes;
}

function readPayload(payload: Buffer): SimpleSigning {
  try {
    return parseSimpleSigning(payload);
  } catch (thrown) {
    throw new AgentError('verify.failed', {
      message: `verifying the image: ${asAgentError(thrown).message}`,
      cause: thrown,
    });
  }
}

function failed(why: string): AgentError {
  return new AgentError('verify.failed', { message: `verifying the image: ${why}` });
}
