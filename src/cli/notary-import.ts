/** Roots of a ceremony on their way to a notary-server: each repository a publish of its own, each with its own outcome. */
import type { SignedOutput } from '../ceremony/importing.js';
import { sha256Hex } from '../ceremony/one-form.js';
import { repositoryOf } from '../ceremony/payload.js';
import { asAgentError, AgentError } from '../errors/agent-error.js';
import { readEnvelope } from '../formats/notary1/reader.js';
import { givenRootPlan } from '../trust/given-root.js';
import type { Published } from '../trust/publisher.js';
import { parseTrustReference } from '../trust/repository-name.js';
import type { CliContext } from './context.js';
import type { OptionValues } from './option-values.js';
import { withPublisher } from './trust-publishing.js';

const SHOWN_HASH = 16;

export interface RootImport {
  readonly repository: string;
  readonly version: number;
  /** What a person reads: what was published, or why not. */
  readonly says: string;
  readonly published: Published['versions'];
  readonly error: AgentError | undefined;
}

/** Publishes the roots one after the other; a repository that is refused does not hold up the others. */
export async function importRoots(
  context: CliContext,
  options: OptionValues,
  outputs: readonly SignedOutput[],
): Promise<readonly RootImport[]> {
  const done: RootImport[] = [];
  for (const output of outputs) {
    const repository = repositoryOf(output.document.order.id);
    const { version } = output.document.order;
    try {
      const published = await importRoot(context, options, repository, output);
      done.push({ repository, version, ...publishedWords(published, version), error: undefined });
    } catch (thrown) {
      const error = asAgentError(thrown);
      const says = `not published: ${error.message}\n    ${error.hint}`;
      done.push({ repository, version, says, published: [], error });
    }
  }
  return done;
}

async function importRoot(
  context: CliContext,
  options: OptionValues,
  repository: string,
  { document, bytes }: SignedOutput,
): Promise<Published> {
  requireFullName(repository);
  const root = readEnvelope(bytes, 'root');
  const from = document.base.at(-1)?.document.payload;
  // What is taken over may have expired: that is what some ceremonies are for.
  const needs = { tolerateExpired: true };
  const published = await withPublisher(context, options, repository, needs, ({ server, publisher }) =>
    publisher.publish(
      `root ${root.document.version} of a ceremony (${sha256Hex(root.signedBytes).slice(0, SHOWN_HASH)})`,
      givenRootPlan(server, { root, from }),
    ),
  );
  const { resumed, notes } = published;
  if (resumed !== undefined)
    context.note(`touchstone: ${repository}: first ended what was interrupted: ${resumed}`);
  for (const note of notes) context.note(`touchstone: ${repository}: ${note}`);
  return published;
}

function publishedWords({ versions }: Published, version: number): Pick<RootImport, 'says' | 'published'> {
  const what = versions.map((one) => `${one.role} ${one.version}`).join(', ');
  const says = versions.length === 0 ? `root ${version} was there already` : `published ${what}`;
  return { says, published: versions };
}

/** Certificates are made out to the name as it was typed, and clients ask for the whole one. */
function requireFullName(repository: string): void {
  const full = parseTrustReference(repository).repository;
  if (full === repository) return;
  throw new AgentError('ceremony.import', {
    message: `publishing a root: clients call ${repository} ${full}`,
    hint: `prepare the ceremony again for ${full}, with enrolments that name it so`,
  });
}
