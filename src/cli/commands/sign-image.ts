/** `touchstone sign image`: cosign's simple signing payload over the digest of an image manifest; here without a registry. */
import { AgentError } from '../../errors/agent-error.js';
import { buildSimpleSigning } from '../../formats/simple-signing.js';
import { parseKeyName } from '../../keys/key-name.js';
import type { CommandResult, Invocation } from '../command.js';
import type { CliContext } from '../context.js';
import { layoutDigest } from '../oci-layout.js';
import type { OptionValues } from '../option-values.js';
import { STANDARD_STREAM, writeOutput } from '../output-file.js';
import { isRegistryImage } from '../registry-options.js';
import { encodeSignature, signWithKey } from '../signing.js';

/** Signs one image. */
export async function signImage(context: CliContext, invocation: Invocation): Promise<CommandResult> {
  const { options } = invocation;
  if (isRegistryImage(invocation.args[0] ?? '') && options.text('digest') === undefined) {
    const { signRegistryImage } = await import('./sign-registry-image.js');
    return signRegistryImage(context, invocation, annotations(options));
  }
  const keyName = options.requiredText('key');
  const digest = imageDigest(invocation);
  const reference = options.text('reference') ?? repositoryOfKey(keyName);
  const payload = buildSimpleSigning({ reference, digest, optional: annotations(options) });
  const { key, signatures } = await signWithKey(context, keyName, [{ kind: 'oci.simple-signing', payload }]);
  const [signed] = signatures;
  const signature = encodeSignature(key, signed?.signature ?? Buffer.alloc(0));
  const payloadOut = options.text('payload-out');
  const signatureOut = options.text('signature-out');
  if (payloadOut !== undefined) writeOutput(context, payloadOut, payload);
  if (signatureOut !== undefined) writeOutput(context, signatureOut, signature);
  context.note(`touchstone: signed ${reference} ${digest} with ${key.name}`);
  const json = {
    key: key.name,
    keyId: key.keyId,
    auditId: signed?.auditId,
    digest,
    reference,
    payload: payload.toString('base64'),
    signature: signature.toString('base64'),
  };
  return { json, text: signatureOut === undefined ? json.signature : '' };
}

/** Digest of --digest or of the layout; exactly one must be given. */
export function imageDigest(invocation: Invocation): string {
  const layout = invocation.args[0];
  const digest = invocation.options.text('digest');
  if ((layout === undefined) === (digest === undefined)) {
    throw new AgentError('usage.invalid', {
      message: layout === undefined ? 'no image was named' : 'two images were named',
      hint: 'give an image layout folder or --digest sha256:HEX, one of them',
    });
  }
  return digest ?? layoutDigest(layout ?? STANDARD_STREAM);
}

function repositoryOfKey(keyName: string): string {
  if (!keyName.startsWith('pkcs11:')) return parseKeyName(keyName).repository;
  throw new AgentError('usage.invalid', {
    message: 'option --reference: it is needed with a key URI',
    hint: 'say what the image is called, for example --reference docker.io/library/hello',
  });
}

function annotations(options: OptionValues): Readonly<Record<string, string>> {
  const entries = options.list('annotation').map((text) => {
    const equals = text.indexOf('=');
    if (equals > 0) return [text.slice(0, equals), text.slice(equals + 1)] as const;
    throw new AgentError('usage.invalid', {
      message: `option --annotation: ${text} is not of the form key=value`,
    });
  });
  return Object.fromEntries(entries);
}
