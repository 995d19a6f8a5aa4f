/** `touchstone sign file`: SSHSIG (PROTOCOL.sshsig of OpenSSH), which "ssh-keygen -Y verify" and git read. */
import { buildSignedData } from '../../formats/sshsig.js';
import { encodeArmor } from '../../formats/sshsig-armor.js';
import { AgentError } from '../../errors/agent-error.js';
import { LIMITS } from '../../protocol/limits.js';
import type { CommandResult, Invocation } from '../command.js';
import type { CliContext } from '../context.js';
import { hashInput, STANDARD_INPUT } from '../input-file.js';
import { STANDARD_STREAM, writeOutput } from '../output-file.js';
import { signWithKey, type SignedWithKey } from '../signing.js';

const HASH = 'sha512';

/** Signs every file in one decision; writes nothing when one of them is refused. */
export async function signFile(context: CliContext, invocation: Invocation): Promise<CommandResult> {
  const files = invocation.args;
  const namespace = invocation.options.text('namespace') ?? 'file';
  const outputs = outputsFor(files, invocation.options.text('output'));
  const payloads = [];
  for (const file of files) {
    const hash = await hashInput(file, HASH);
    payloads.push({
      kind: `sshsig:${namespace}`,
      payload: buildSignedData({ namespace, hashAlgorithm: HASH, hash }),
    });
  }
  const signed = await signWithKey(context, invocation.options.requiredText('key'), payloads);
  return report(context, { files, outputs, armors: armorsOf(signed, namespace), signed });
}

function outputsFor(files: readonly string[], output: string | undefined): readonly string[] {
  if (files.length > LIMITS.batch) {
    throw new AgentError('limits.batch', {
      message: `signing ${files.length} files: at most ${LIMITS.batch} at once`,
    });
  }
  if (output !== undefined && files.length > 1) {
    throw new AgentError('usage.invalid', {
      message: 'option --output: it holds one signature, but there are several files',
      hint: 'leave it out; each FILE gets FILE.sig',
    });
  }
  return files.map((file) => output ?? (file === STANDARD_INPUT ? STANDARD_STREAM : `${file}.sig`));
}

function armorsOf({ key, signatures }: SignedWithKey, namespace: string): readonly string[] {
  const spki = Buffer.from(key.publicKey ?? '', 'base64');
  // The agent signs with SHA-256 when an RSA key is not told otherwise.
  const fixed = { spki, namespace, hashAlgorithm: HASH, rsaHash: 'sha256' } as const;
  return signatures.map(({ signature }) => encodeArmor({ ...fixed, signature }));
}

interface Report {
  readonly files: readonly string[];
  readonly outputs: readonly string[];
  readonly armors: readonly string[];
  readonly signed: SignedWithKey;
}

function report(context: CliContext, { files, outputs, armors, signed }: Report): CommandResult {
  const printed: string[] = [];
  const signatures = files.map((file, index) => {
    const output = outputs[index] ?? STANDARD_STREAM;
    const armor = armors[index] ?? '';
    if (output === STANDARD_STREAM) printed.push(armor.trimEnd());
    else {
      writeOutput(context, output, armor);
      context.note(`touchstone: signed ${file} with ${signed.key.name}: ${output}`);
    }
    const { keyId, auditId } = signed.signatures[index] ?? {};
    return { file, output, keyId, auditId, ...(output === STANDARD_STREAM ? { signature: armor } : {}) };
  });
  return { json: { key: signed.key.name, signatures }, text: printed.join('\n') };
}
