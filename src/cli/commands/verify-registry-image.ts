/** `touchstone verify image REGISTRY/NAME`: every signature stored beside the image, in all forms; one by the key is enough. */
import { AgentError } from '../../errors/agent-error.js';
import { readBundles } from '../../images/bundle-referrers.js';
import { readSimpleSignatures } from '../../images/cosign-tags.js';
import {
  checkBundle,
  checkSimpleSignature,
  type ExpectedImage,
  type Finding,
  type FindSigner,
} from '../../images/image-check.js';
import { repositoryOf } from '../../formats/simple-signing.js';
import { repositoryName } from '../../registry/image-reference.js';
import type { Repository } from '../../registry/repository.js';
import type { CommandResult, Invocation } from '../command.js';
import type { CliContext } from '../context.js';
import { signerFinder } from '../verification-keys.js';
import { openImage } from '../registry-options.js';

/** Verifies one image in a registry. @throws AgentError verify.failed when nothing counts */
export async function verifyRegistryImage(
  context: CliContext,
  { options, args }: Invocation,
): Promise<CommandResult> {
  const findSigner = await signerFinder(context, options);
  const image = await openImage(context, options, args[0] ?? '');
  const { digest } = image.manifest.descriptor;
  const stated = options.text('reference');
  const repository = stated === undefined ? repositoryName(image.reference) : repositoryOf(stated);
  const findings = await collect(image.repository, { digest, repository }, findSigner);
  const good = findings.filter(({ key }) => key !== undefined);
  if (good.length === 0) throw failed(image.repository.name, findings);
  const names = [...new Set(good.map(({ key }) => key))];
  const forms = [...new Set(good.map(({ form }) => form))];
  const json = { verified: true, digest, repository, keys: names, forms, findings };
  const text = `good: ${image.repository.name} ${digest}, signed with ${names.join(', ')} (${forms.join(', ')})`;
  return { json, text };
}

async function collect(
  repository: Repository,
  image: ExpectedImage,
  findSigner: FindSigner,
): Promise<readonly Finding[]> {
  const [simple, bundles] = await Promise.all([
    readSimpleSignatures(repository, image.digest),
    readBundles(repository, image.digest),
  ]);
  return [
    ...simple.map((stored) => checkSimpleSignature(stored, image, findSigner)),
    ...bundles.flatMap((bundle) => checkBundle(bundle, image, findSigner) ?? []),
  ];
}

function failed(name: string, findings: readonly Finding[]): AgentError {
  const problems = [...new Set(findings.map(({ form, problem }) => `${form}: ${problem ?? ''}`))];
  const why =
    findings.length === 0 ? 'there is no signature' : `no signature counts (${problems.join('; ')})`;
  return new AgentError('verify.failed', { message: `verifying ${name}: ${why}` });
}
