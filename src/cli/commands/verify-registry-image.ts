/** `touchstone verify image REGISTRY/NAME`: every signature stored beside the image, in all forms; one by the key is enough. */
import type { X509Certificate } from 'node:crypto';
import { CertificateFolder, readCertificates } from '../../client/certificate-folder.js';
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
import { checkNotation } from '../../images/notation-check.js';
import { readNotation } from '../../images/notation-referrers.js';
import { repositoryOf } from '../../formats/simple-signing.js';
import { repositoryName } from '../../registry/image-reference.js';
import type { Repository } from '../../registry/repository.js';
import type { CommandResult, Invocation } from '../command.js';
import type { CliContext } from '../context.js';
import { readTextFile } from '../input-file.js';
import type { OptionValues } from '../option-values.js';
import { placesOf } from '../places.js';
import { signerFinder } from '../verification-keys.js';
import { openImage } from '../registry-options.js';

/** Verifies one image in a registry. @throws AgentError verify.failed when nothing counts */
export async function verifyRegistryImage(
  context: CliContext,
  { options, args }: Invocation,
): Promise<CommandResult> {
  const trusted = await trustedAuthorities(context, options);
  const findSigner = hasKey(options) ? await signerFinder(context, options) : undefined;
  const image = await openImage(context, options, args[0] ?? '');
  const { digest } = image.manifest.descriptor;
  const stated = options.text('reference');
  const repository = stated === undefined ? repositoryName(image.reference) : repositoryOf(stated);
  const expected = { digest, repository };
  const findings = [
    ...(findSigner === undefined ? [] : await collect(image.repository, expected, findSigner)),
    ...(trusted.length === 0 ? [] : await collectNotation(image.repository, expected, trusted)),
  ];
  const good = findings.filter(({ key }) => key !== undefined);
  if (good.length === 0) throw failed(image.repository.name, findings);
  const names = [...new Set(good.map(({ key }) => key))];
  const forms = [...new Set(good.map(({ form }) => form))];
  const json = { verified: true, digest, repository, keys: names, forms, findings };
  const text = `good: ${image.repository.name} ${digest}, signed with ${names.join(', ')} (${forms.join(', ')})`;
  return { json, text };
}

function hasKey(options: OptionValues): boolean {
  return (
    options.text('notation-ca') === undefined ||
    (options.text('key') ?? options.text('key-file')) !== undefined
  );
}

/** Certificates of --notation-ca, else the authority of this machine. */
async function trustedAuthorities(
  context: CliContext,
  options: OptionValues,
): Promise<readonly X509Certificate[]> {
  const file = options.text('notation-ca');
  if (file !== undefined) return readCertificates(readTextFile(file), file);
  const own = new CertificateFolder((await placesOf(context)).configFile).authority();
  return own === undefined ? [] : [own];
}

async function collectNotation(
  repository: Repository,
  image: ExpectedImage,
  trusted: readonly X509Certificate[],
): Promise<readonly Finding[]> {
  const envelopes = await readNotation(repository, image.digest);
  return envelopes.map((envelope) => checkNotation(envelope, image, trusted, new Date()));
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
