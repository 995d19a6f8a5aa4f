/** `touchstone trust signer add NAME REPOSITORY …`. */
import { AgentError } from '../../errors/agent-error.js';
import type { NotaryKey } from '../../formats/notary1/key.js';
import { formatKeyName } from '../../keys/key-name.js';
import { RELEASES } from '../../formats/notary1/role-name.js';
import { checkFileTargetName } from '../../trust/file-target.js';
import { signerRole } from '../../trust/reach.js';
import { planSignerAdd, type NewSigner } from '../../trust/signer-changes.js';
import { readSignerKey } from '../../trust/signer-key-file.js';
import type { CommandResult, Invocation } from '../command.js';
import type { CliContext } from '../context.js';
import { readTextFile } from '../input-file.js';
import type { OptionValues } from '../option-values.js';
import { eachRepository, readNameAndRepositories } from '../several-repositories.js';
import { publishedResult, withPublisher, type PublishingSession } from '../trust-publishing.js';

/** Takes a signer in: role, keys, release rights, everything signed anew. */
export async function trustSignerAdd(
  context: CliContext,
  { options, args }: Invocation,
): Promise<CommandResult> {
  const { name, repositories } = readNameAndRepositories(args);
  const given = readGiven(options, name);
  return eachRepository(context, repositories, (repository) =>
    withPublisher(context, options, repository, { roles: [given.role] }, async (session) => {
      const signer = await newSigner(session, given);
      const owner = await session.signer.derive(formatKeyName({ repository, role: RELEASES }));
      const published = await session.publisher.publish(wordsOf(given), (input) =>
        planSignerAdd(input, signer, owner),
      );
      return publishedResult(context, published, `${name} signs for ${repository}`, { signer: name });
    }),
  );
}

function readGiven(options: OptionValues, name: string): SignerFiles {
  const files = readKeys(options, 'key');
  const releaseFiles = readKeys(options, 'release-key');
  const paths = options.list('path').map(checkFileTargetName);
  if (files.length === 0 && releaseFiles.length > 0) {
    throw new AgentError('usage.invalid', { message: 'option --release-key: it goes with --key' });
  }
  if (paths.length > 0 && releaseFiles.length > 0) {
    throw new AgentError('usage.invalid', {
      message: 'options --path and --release-key: whoever is held to paths releases nothing',
      hint: 'leave one of them out: a key of targets/releases releases every name',
    });
  }
  return { name, role: signerRole(name), files, releaseFiles, paths };
}

function wordsOf({ name, paths }: SignerFiles): string {
  return paths.length === 0 ? `add signer ${name}` : `add signer ${name} for ${paths.join(' ')}`;
}

interface SignerFiles {
  readonly name: string;
  readonly role: string;
  readonly files: readonly NotaryKey[];
  readonly releaseFiles: readonly NotaryKey[];
  readonly paths: readonly string[];
}

/** Without files the signer is a leaf of this agent, which releases with the leaf of `targets/releases`. */
async function newSigner({ repository, signer }: PublishingSession, given: SignerFiles): Promise<NewSigner> {
  const { name, role, files, releaseFiles, paths } = given;
  if (files.length === 0) {
    const leaf = await signer.derive(formatKeyName({ repository, role }));
    return { name, keys: [leaf.key], releaseKeys: [], paths };
  }
  // Docker knows one key per person, for both roles.
  return { name, keys: files, releaseKeys: releaseFiles.length === 0 ? files : releaseFiles, paths };
}

function readKeys(options: OptionValues, option: string): readonly NotaryKey[] {
  return options.list(option).map((file) => readSignerKey(readTextFile(file), file));
}
