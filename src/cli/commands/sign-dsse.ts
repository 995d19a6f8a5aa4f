/** `touchstone sign dsse`: DSSE v1 (secure-systems-lab/dsse), as in-toto and sigstore store attestations. */
import { pae } from '../../encoding/dsse-pae.js';
import { encodeEnvelope } from '../../formats/dsse.js';
import type { CommandResult, Invocation } from '../command.js';
import type { CliContext } from '../context.js';
import { readInput } from '../input-file.js';
import { STANDARD_STREAM, writeOutput } from '../output-file.js';
import { encodeSignature, signWithKey } from '../signing.js';

/** Signs one payload into an envelope. */
export async function signDsse(context: CliContext, invocation: Invocation): Promise<CommandResult> {
  const { options } = invocation;
  const payloadType = options.requiredText('type');
  const output = options.text('output') ?? STANDARD_STREAM;
  const payload = await readInput(invocation.args[0] ?? STANDARD_STREAM);
  const statement = { kind: `dsse:${payloadType}`, payload: pae(payloadType, payload) };
  const { key, signatures } = await signWithKey(context, options.requiredText('key'), [statement]);
  const sigs = signatures.map(({ signature, keyId }) => ({
    keyid: keyId,
    sig: encodeSignature(key, signature),
  }));
  const envelope = encodeEnvelope({ payloadType, payload, signatures: sigs });
  const json = {
    key: key.name,
    keyId: key.keyId,
    auditId: signatures[0]?.auditId,
    output,
    envelope: JSON.parse(envelope) as object,
  };
  if (output === STANDARD_STREAM) return { json, text: envelope.trimEnd() };
  writeOutput(context, output, envelope);
  context.note(`touchstone: signed with ${key.name}: ${output}`);
  return { json, text: '' };
}
