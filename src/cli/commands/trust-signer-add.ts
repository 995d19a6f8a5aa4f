/** `touchstone trust signer add REPOSITORY NAME`. */
import { AgentError } from '../../errors/agent-error.js';
import type { NotaryKey } from '../../formats/notary1/key.js';
import { formatKeyName } from '../../keys/key-name.js';
import { RELEASES } from '../../formats/notary1/role-name.js';
import { signerRole } from '../../trust/reach.js';
import { parseTrustReference } from '../../trust/repository-name.js';
import { planSignerAdd, type NewSigner } from '../../trust/signer-changes.js';
import { readSignerKey } from '../../trust/signer-key-file.js';
import type { CommandResult, Invocation } from '../command.js';
import type { CliContext } from '../context.js';
import { readTextFile } from '../input-file.js';
import type { OptionValues } from '../option-values.js';
import { publishedResult, withPublisher, type PublishingSession } from '../trust-publishing.js';

/** Takes a signer in: role, keys, release rights, everything signed anew. */
export async function trustSignerAdd(
  context: CliContext,
  { options, args }: Invocation,
): Promise<CommandResult> {
  const [reference = '', name = ''] = args;
  const { repository } = parseTrustReference(reference);
  const role = signerRole(name);
  const files = readKeys(options, 'key');
  const releaseFiles = readKeys(options, 'release-key');
  if (files.length === 0 && releaseFiles.length > 0) {
    throw new AgentError('usage.invalid', { message: 'option --release-key: it goes with --key' });
  }
  return withPublisher(context, options, repository, { roles: [role] }, async (session) => {
    const signer = await newSigner(session, { name, role, files, releaseFiles });
    const owner = await session.signer.derive(formatKeyName({ repository, role: RELEASES }));
    const published = await session.publisher.publish(`add signer ${name}`, (input) =>
      planSignerAdd(input, signer, owner),
    );
    return publishedResult(context, published, `${name} signs for ${repository}`, { signer: name });
  });
}

interface SignerFiles {
  readonly name: string;
  readonly role: string;
  readonly files: readonly NotaryKey[];
  readonly releaseFiles: readonly NotaryKey[];
}

/** Without files the signer is a leaf of this agent, which releases with the leaf of `targets/releases`. */
async function newSigner({ repository, signer }: PublishingSession, given: SignerFiles): Promise<NewSigner> {
  const { name, role, files, releaseFiles } = given;
  if (files.length === 0) {
    const leaf = await signer.derive(formatKeyName({ repository, role }));
    return { name, keys: [leaf.key], releaseKeys: [] };
  }
  // Docker knows one key per person, for both roles.
  return { name, keys: files, releaseKeys: releaseFiles.length === 0 ? files : releaseFiles };
}

function readKeys(options: OptionValues, option: string): readonly NotaryKey[] {
  return options.list(option).map((file) => readSignerKey(readTextFile(file), file));
}
