/** `touchstone trust sign REPOSITORY:TAG …`: what the registry holds under a tag, or a digest that is given, signed for everybody who pulls. */
import { AgentError } from '../../errors/agent-error.js';
import type { Target } from '../../formats/notary1/document.js';
import { parseTrustReference } from '../../trust/repository-name.js';
import type { TagChange } from '../../trust/tag-changes.js';
import type { CommandResult, Invocation } from '../command.js';
import type { CliContext } from '../context.js';
import type { OptionValues } from '../option-values.js';
import { openImage } from '../registry-options.js';
import { publishTargets } from '../trust-changing.js';

const DIGEST = /^sha256:[0-9a-f]{64}$/;
const MAX_SIZE = 2 ** 40;

/** Signs tags of one repository, in one publish. */
export async function trustSign(context: CliContext, { options, args }: Invocation): Promise<CommandResult> {
  const references = args.map(parseTrustReference);
  const [first] = references;
  if (first === undefined) throw new AgentError('usage.invalid', { message: 'there is nothing to sign' });
  const { repository } = first;
  if (references.some((one) => one.repository !== repository)) {
    throw new AgentError('usage.invalid', {
      message: 'one publish is of one repository: sign the others with a command of their own',
    });
  }
  const changes: TagChange[] = [];
  for (const argument of args) changes.push(await changeOf(context, options, argument));
  const names = changes.map(({ name }) => name).join(' ');
  const signed = changes.map(({ name, target }) => ({
    tag: name,
    digest: `sha256:${target?.hashes.sha256 ?? ''}`,
    size: target?.length,
  }));
  return publishTargets(context, options, repository, {
    words: `sign ${changes.map(({ name, target }) => `${name}@sha256:${target?.hashes.sha256 ?? ''}`).join(' ')}`,
    noun: 'image',
    changes: () => changes,
    done: `signed ${repository}: ${names}`,
    facts: { signed },
  });
}

async function changeOf(context: CliContext, options: OptionValues, argument: string): Promise<TagChange> {
  const { repository, tag, digest } = parseTrustReference(argument);
  // As "docker trust sign": what is signed for everybody is written out.
  if (tag === undefined) {
    throw new AgentError('usage.invalid', {
      message: `signing ${argument}: no tag was named`,
      hint: `a signature is for a tag: touchstone trust sign ${repository}:TAG${digest === undefined ? '' : `@${digest}`}`,
    });
  }
  const given = givenTarget(options);
  if (given !== undefined) {
    if (digest !== undefined && digest !== options.text('digest')) {
      throw new AgentError('usage.invalid', {
        message: `option --digest: it is not the digest in ${argument}`,
        hint: 'name the digest once',
        details: { field: 'digest' },
      });
    }
    return { name: tag, target: given };
  }
  const { manifest } = await openImage(context, options, argument);
  const { descriptor } = manifest;
  if (digest !== undefined && descriptor.digest !== digest) throw new AgentError('registry.reply');
  return { name: tag, target: toTarget(descriptor.digest, descriptor.size) };
}

/** --digest and --size: signing without a look at the registry. */
function givenTarget(options: OptionValues): Target | undefined {
  const digest = options.text('digest');
  const size = options.integer('size', { min: 0, max: MAX_SIZE });
  if (digest === undefined && size === undefined) return undefined;
  if (digest === undefined || size === undefined) {
    throw new AgentError('usage.invalid', {
      message: 'options --digest and --size belong together: sha256:HEX, and the bytes of the manifest',
    });
  }
  if (!DIGEST.test(digest)) {
    throw new AgentError('usage.invalid', {
      message: 'option --digest: sha256: and 64 lower-case hex digits are needed',
      details: { field: 'digest' },
    });
  }
  return toTarget(digest, size);
}

/** As docker writes it: the digest of the manifest alone, and its length. */
function toTarget(digest: string, size: number): Target {
  return { hashes: { sha256: digest.slice('sha256:'.length) }, length: size };
}
