/** `touchstone verify attestation`: the statements of one type that a key signed about an image in a registry. */
import { AgentError } from '../../errors/agent-error.js';
import { readBundles } from '../../images/bundle-referrers.js';
import { readEnvelopes } from '../../images/cosign-tags.js';
import { checkAttestation, type FoundAttestation } from '../../images/image-check.js';
import { repositoryName } from '../../registry/image-reference.js';
import type { CommandResult, Invocation } from '../command.js';
import type { CliContext } from '../context.js';
import { predicateTypeOf } from '../predicate-types.js';
import { openImage, type RegistryImage } from '../registry-options.js';
import { signerFinder } from '../verification-keys.js';

/** Verifies attestations; prints each statement once, one a line. @throws AgentError verify.failed when there is none */
export async function verifyAttestation(context: CliContext, invocation: Invocation): Promise<CommandResult> {
  const { args, options } = invocation;
  const predicateType = predicateTypeOf(options.requiredText('type'));
  const findSigner = await signerFinder(context, options);
  const image = await openImage(context, options, args[0] ?? '');
  const { digest } = image.manifest.descriptor;
  const expected = { digest, repository: repositoryName(image.reference) };
  const found = (await readAll(image)).map(([stored, isBundle]) =>
    checkAttestation(stored, isBundle, expected, findSigner),
  );
  const good = found.filter((one) => one.key !== undefined && one.predicateType === predicateType);
  const statements = [...new Set(good.map(({ payload }) => payload?.toString('utf8') ?? ''))];
  if (statements.length === 0) throw failed(image.repository.name, predicateType, found);
  const keys = [...new Set(good.map(({ key }) => key))];
  context.note(`touchstone: good: ${image.repository.name} ${digest}, attested with ${keys.join(', ')}`);
  const json = {
    verified: true,
    digest,
    predicateType,
    keys,
    statements: statements.map((text) => JSON.parse(text) as object),
  };
  return { json, text: statements.join('\n') };
}

async function readAll({
  repository,
  manifest,
}: RegistryImage): Promise<readonly (readonly [Buffer, boolean])[]> {
  const { digest } = manifest.descriptor;
  const [bundles, envelopes] = await Promise.all([
    readBundles(repository, digest),
    readEnvelopes(repository, digest),
  ]);
  return [
    ...bundles.map((bundle) => [bundle, true] as const),
    ...envelopes.map((envelope) => [envelope, false] as const),
  ];
}

function failed(name: string, type: string, found: readonly FoundAttestation[]): AgentError {
  const problems = [...new Set(found.flatMap(({ problem }) => problem ?? []))];
  const why = problems.length === 0 ? '' : ` (${problems.join('; ')})`;
  return new AgentError('verify.failed', {
    message: `verifying ${name}: no attestation of type ${type} counts${why}`,
  });
}
