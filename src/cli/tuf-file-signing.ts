/** A signature added to one file that another machine began: no folder is needed, only the key. */
import { AgentError } from '../errors/agent-error.js';
import type { TufDocument, TufEnvelope, TufSignature } from '../formats/tuf/document.js';
import { spkiOf, tufKeyIdOf, tufKeyOf, type TufKey } from '../formats/tuf/key.js';
import { readTuf } from '../formats/tuf/reader.js';
import { isTufSignature } from '../formats/tuf/verify.js';
import { envelopeBytes, signedBytes } from '../formats/tuf/writer.js';
import { TufAgentSigner } from '../trust/tuf/agent-signer.js';
import { changeWords } from '../trust/tuf/change-words.js';
import { requestTimeoutMs, withAgent } from './agent-session.js';
import type { CommandResult } from './command.js';
import type { CliContext } from './context.js';
import { readInput } from './input-file.js';
import type { OptionValues } from './option-values.js';
import { writeOutput } from './output-file.js';

/** @throws AgentError `usage.invalid`, `tuf.document`, of the agent */
export async function signTufFile(
  context: CliContext,
  options: OptionValues,
  path: string,
): Promise<CommandResult> {
  const names = options.list('key');
  const [name] = names;
  if (name === undefined || names.length > 1) {
    throw new AgentError('usage.invalid', {
      message: `signing ${path}: one --key is needed, because a file alone does not say whose signatures it needs`,
      hint: `for example: touchstone tuf sign ${path} --key 'acme.example/updates#targets'`,
    });
  }
  const envelope = readTuf(await readInput(path));
  const { signed } = envelope;
  for (const line of changeWords(signed.type, signed, undefined)) context.note(line);
  const signature = await withAgent(context, async (client) => {
    const signer = new TufAgentSigner(client, requestTimeoutMs(context));
    const key = await signer.show(name);
    const payload = signedBytes(signed);
    const [sig = ''] = await signer.sign([{ key, kind: `tuf.${signed.type}`, payload }]);
    const tufKey = tufKeyOf(key.spki);
    if (!isTufSignature(tufKey, sig, payload)) throw new AgentError('verify.failed');
    return { keyid: keyIdIn(signed, tufKey), sig };
  });
  writeOutput(context, options.text('output') ?? path, withSignature(envelope, signature));
  const { type, version } = signed;
  context.note(`touchstone: ${type} ${version} is signed by ${name}`);
  return { json: { role: type, version, key: name, keyid: signature.keyid }, text: '' };
}

/** The id under which the document itself names the key, where it does. */
function keyIdIn(document: TufDocument, key: TufKey): string {
  const spki = spkiOf(key);
  const known = document.type === 'root' ? [...document.keys] : [];
  const named = known.find(([, one]) => isSame(one, spki));
  return named?.[0] ?? tufKeyIdOf(key);
}

function isSame(key: TufKey, spki: Buffer): boolean {
  try {
    return spkiOf(key).equals(spki);
  } catch (cause) {
    if (cause instanceof AgentError) return false;
    throw cause;
  }
}

function withSignature({ signed, signatures, raw }: TufEnvelope, added: TufSignature): Buffer {
  const others = signatures.filter(({ keyid }) => keyid !== added.keyid);
  return envelopeBytes(signed, [...others, added], raw);
}
