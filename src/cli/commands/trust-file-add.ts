/** `touchstone trust file add REPOSITORY NAME FILE`: a file of any kind, signed under a name. */
import { createHash } from 'node:crypto';
import { checkFileTargetName, customText, fileTarget, parseCustom } from '../../trust/file-target.js';
import { parseTrustReference } from '../../trust/repository-name.js';
import type { CommandResult, Invocation } from '../command.js';
import type { CliContext } from '../context.js';
import { inputChunks, readTextFile } from '../input-file.js';
import { publishTargets } from '../trust-changing.js';

/** Signs length, SHA-256 and SHA-512 of the file; the file itself stays where it is. */
export async function trustFileAdd(
  context: CliContext,
  { options, args }: Invocation,
): Promise<CommandResult> {
  const [reference = '', written = '', file = ''] = args;
  const { repository } = parseTrustReference(reference);
  const name = checkFileTargetName(written);
  const customFile = options.text('custom');
  const custom = customFile === undefined ? undefined : parseCustom(readTextFile(customFile), customFile);
  const measured = await fileTarget(inputChunks(file));
  const target = custom === undefined ? measured : { ...measured, custom };
  const { hashes, length } = measured;
  return publishTargets(context, options, repository, {
    words: `sign file ${name}@sha256:${hashes.sha256}${custom === undefined ? '' : ` with ${hashOf(custom)}`}`,
    noun: 'file',
    changes: () => [{ name, target }],
    done: `signed ${repository}: ${name}`,
    facts: { signed: { name, size: length, ...hashes, ...(custom === undefined ? {} : { custom }) } },
  });
}

function hashOf(custom: unknown): string {
  return `custom data sha256:${createHash('sha256')
    .update(customText(custom) ?? '')
    .digest('hex')}`;
}
