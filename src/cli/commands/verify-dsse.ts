/** `touchstone verify dsse`: at least one signature of the envelope is by one of the given keys. */
import { pae } from '../../encoding/dsse-pae.js';
import { AgentError } from '../../errors/agent-error.js';
import { decodeEnvelope, type DsseEnvelope } from '../../formats/dsse.js';
import type { CommandResult, Invocation } from '../command.js';
import type { CliContext } from '../context.js';
import { readInput } from '../input-file.js';
import { STANDARD_STREAM, writeOutput } from '../output-file.js';
import { rawSignature } from '../raw-signature.js';
import { findSigner, verificationKeys, type VerificationKey } from '../verification-keys.js';

/** Verifies one envelope; the payload is handed out only after that. */
export async function verifyDsse(context: CliContext, invocation: Invocation): Promise<CommandResult> {
  const { options } = invocation;
  const keys = await verificationKeys(context, options);
  const envelope = decodeEnvelope(await readInput(invocation.args[0] ?? STANDARD_STREAM));
  const signer = signerOf(envelope, keys);
  if (signer === undefined) {
    throw new AgentError('verify.failed', {
      message: 'verifying the envelope: no signature is by the given key',
    });
  }
  const type = options.text('type');
  if (type !== undefined && type !== envelope.payloadType) {
    throw new AgentError('verify.failed', {
      message: `verifying the envelope: the payload type is "${envelope.payloadType}", not "${type}"`,
      hint: 'name what you expect with --type',
    });
  }
  const payloadOut = options.text('payload-out');
  if (payloadOut !== undefined) writeOutput(context, payloadOut, envelope.payload);
  const json = {
    verified: true,
    payloadType: envelope.payloadType,
    key: signer.name,
    keyId: signer.keyId,
    payload: envelope.payload.toString('base64'),
  };
  const words = `good: ${envelope.payloadType}, ${envelope.payload.length} bytes, signed with ${signer.name}`;
  return { json, text: payloadOut === STANDARD_STREAM ? '' : words };
}

function signerOf(envelope: DsseEnvelope, keys: readonly VerificationKey[]): VerificationKey | undefined {
  const message = pae(envelope.payloadType, envelope.payload);
  for (const { sig } of envelope.signatures) {
    const signer = findSigner(keys, message, (algorithm) => rawSignature(algorithm, sig));
    if (signer !== undefined) return signer;
  }
  return undefined;
}
