/** Publishing changes of targets: who signs, in which roles, and what is said afterwards. */
import type { PlanInput } from '../trust/publisher.js';
import { signerRole } from '../trust/reach.js';
import { planTags, type TagChange, type TagOptions } from '../trust/tag-changes.js';
import type { CommandResult } from './command.js';
import type { CliContext } from './context.js';
import type { OptionValues } from './option-values.js';
import { publishedResult, signerName, withPublisher } from './trust-publishing.js';

export interface TargetsPublish {
  /** What it is for, whole: an interrupted publish of the same words is this one. */
  readonly words: string;
  readonly noun: TagOptions['noun'];
  /** Called for every attempt, with what there is then. */
  readonly changes: (input: PlanInput, choice: TagOptions) => readonly TagChange[];
  /** For people. */
  readonly done: string;
  readonly facts?: object | undefined;
}

/** Plans and publishes changes under the options --as, --role and --leave. */
export function publishTargets(
  context: CliContext,
  options: OptionValues,
  repository: string,
  { words, noun, changes, done, facts }: TargetsPublish,
): Promise<CommandResult> {
  const signer = signerName(context, options);
  const named = options.list('role');
  const roles = named.length === 0 ? undefined : named;
  const choice: TagOptions = { signer, roles, leave: options.list('leave'), noun };
  const reach = [...(signer === undefined ? [] : [signerRole(signer)]), ...named];
  return withPublisher(context, options, repository, { roles: reach }, async ({ publisher }) => {
    const published = await publisher.publish(words, (input) =>
      planTags(input, changes(input, choice), choice),
    );
    return publishedResult(context, published, done, facts);
  });
}
