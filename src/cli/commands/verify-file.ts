/** `touchstone verify file`: an SSHSIG by one of the given keys, over this file, for this namespace. */
import { AgentError } from '../../errors/agent-error.js';
import { decodeArmor } from '../../formats/sshsig-armor.js';
import { buildSignedData } from '../../formats/sshsig.js';
import type { CommandResult, Invocation } from '../command.js';
import type { CliContext } from '../context.js';
import { hashInput, readTextFile, STANDARD_INPUT } from '../input-file.js';
import { findSigner, verificationKeys } from '../verification-keys.js';

/** Verifies one file. */
export async function verifyFile(context: CliContext, invocation: Invocation): Promise<CommandResult> {
  const { options } = invocation;
  const file = invocation.args[0] ?? STANDARD_INPUT;
  const namespace = options.text('namespace') ?? 'file';
  const keys = await verificationKeys(context, options);
  const signature = decodeArmor(readTextFile(signatureFile(file, options.text('signature'))));
  if (signature.namespace !== namespace) {
    throw new AgentError('verify.failed', {
      message: `verifying ${file}: the signature is for namespace "${signature.namespace}", not "${namespace}"`,
      hint: 'name what you expect with --namespace',
    });
  }
  const trusted = keys.filter((key) => key.spki.equals(signature.spki));
  if (trusted.length === 0) {
    throw new AgentError('verify.failed', {
      message: `verifying ${file}: the signature was made with another key`,
      hint: 'check --key or --key-file',
    });
  }
  const { hashAlgorithm } = signature;
  const hash = await hashInput(file, hashAlgorithm);
  const signer = findSigner(
    trusted,
    buildSignedData({ namespace, hashAlgorithm, hash }),
    () => signature.signature,
    signature.rsaHash === undefined ? undefined : `rsa-pkcs1-${signature.rsaHash}`,
  );
  if (signer === undefined) {
    throw new AgentError('verify.failed', {
      message: `verifying ${file}: the signature does not fit the file`,
    });
  }
  const json = { verified: true, file, namespace, key: signer.name, keyId: signer.keyId };
  return { json, text: `good: ${file}, namespace ${namespace}, signed with ${signer.name}` };
}

function signatureFile(file: string, signature: string | undefined): string {
  if (signature !== undefined) return signature;
  if (file !== STANDARD_INPUT) return `${file}.sig`;
  throw new AgentError('usage.invalid', { message: 'option --signature: it is needed with standard input' });
}
