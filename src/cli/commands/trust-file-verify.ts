/** `touchstone trust file verify REPOSITORY NAME [FILE]`: is this the file that was signed under the name? */
import { printable } from '../../encoding/utf8.js';
import { factsOf, signedTag, signerName } from '../../trust/approvals.js';
import { requireTarget } from '../../trust/file-target.js';
import { parseTrustReference } from '../../trust/repository-name.js';
import type { CommandResult, Invocation } from '../command.js';
import type { CliContext } from '../context.js';
import { inputChunks, STANDARD_INPUT } from '../input-file.js';
import { openTrust, readCollection } from '../trust-session.js';
import { requireTargetOf } from '../trust-target.js';
import { writeVerified, type Check } from '../verified-output.js';

/** Passes the file on with --output, when every byte of it has been checked. @throws AgentError `notary.unsigned`, `notary.checksum` */
export async function trustFileVerify(
  context: CliContext,
  { options, args }: Invocation,
): Promise<CommandResult> {
  const [reference = '', name = '', file = STANDARD_INPUT] = args;
  const { repository } = parseTrustReference(reference);
  const output = options.text('output');
  const collection = await readCollection(context, await openTrust(context, options, repository));
  const { role, target } = requireTargetOf(collection, name, options.list('role'));
  const check: Check = (passOn) => requireTarget(inputChunks(file), name, target, passOn);
  if (output === undefined) await check(() => undefined);
  else await writeVerified(context, output, check);
  const released = signedTag(collection, name);
  const approvals = released?.digest === factsOf(target).digest ? released.approvals : [];
  const signers = approvals.map((one) => signerName(one.role)).join(', ');
  const good = `good: ${printable(name, name.length)}, ${target.length} bytes, from ${role}${signers === '' ? '' : `, signed by ${signers}`}`;
  if (output !== undefined) context.note(`touchstone: ${good}`);
  return {
    json: { verified: true, repository, name, ...factsOf(target), role, approvals, output: output ?? null },
    text: output === undefined ? good : '',
  };
}
