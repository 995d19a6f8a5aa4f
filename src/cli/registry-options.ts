/** What commands need to reach a registry: options as a person types them, and the repository they name. */
import { existsSync } from 'node:fs';
import { namesRegistry, parseImageReference, type ImageReference } from '../registry/image-reference.js';
import type { StoredManifest } from '../registry/manifest.js';
import { Repository } from '../registry/repository.js';
import type { CliContext } from './context.js';
import { readTextFile } from './input-file.js';
import type { OptionValues } from './option-values.js';

/** For everything that is asked of a registry in one command, milliseconds. */
const REGISTRY_MS = 120_000;

export interface RegistryImage {
  readonly reference: ImageReference;
  readonly repository: Repository;
  readonly manifest: StoredManifest;
}

/** Whether an argument is an image in a registry; a file or folder of that name on this disk comes first. */
export function isRegistryImage(argument: string): boolean {
  if (!namesRegistry(argument)) return false;
  const colon = argument.lastIndexOf(':');
  return !existsSync(argument) && !(colon > 0 && existsSync(argument.slice(0, colon)));
}

/**
 * Finds an image by its reference; without tag and digest it is `latest`.
 * @throws AgentError usage.invalid, registry.missing and the other registry errors
 */
export async function openImage(
  context: CliContext,
  options: OptionValues,
  argument: string,
): Promise<RegistryImage> {
  const reference = parseImageReference(argument);
  const caFile = options.text('registry-ca');
  const repository = new Repository(reference, {
    env: context.env,
    home: context.home,
    plainHttp: options.flag('plain-http'),
    ca: caFile === undefined ? undefined : readTextFile(caFile),
    deadline: Date.now() + (context.flags.timeoutMs ?? REGISTRY_MS),
  });
  const manifest = await repository.manifest(reference.digest ?? reference.tag ?? 'latest');
  return { reference, repository, manifest };
}
