/** Names of collections (GUN) as people write them: an image repository with its registry, or any other path of a notary-server. */
import { AgentError } from '../errors/agent-error.js';
import { namesRegistry, parseImageReference, repositoryName } from '../registry/image-reference.js';

export interface TrustReference {
  /** For example `docker.io/library/hello`. */
  readonly repository: string;
  readonly tag?: string | undefined;
  /** `sha256:` and 64 lower-case hex digits. */
  readonly digest?: string | undefined;
}

const MAX_NAME_LENGTH = 255;
/** Capitals too: a collection need not be an image. */
const COLLECTION = /^[A-Za-z0-9][A-Za-z0-9._:-]*(?:\/[A-Za-z0-9_][A-Za-z0-9._-]*)+$/;
const TAG_AND_DIGEST = /^(.*?)(?::([A-Za-z0-9_][A-Za-z0-9._-]{0,127}))?(?:@(sha256:[0-9a-f]{64}))?$/;

/**
 * Reads `REPOSITORY[:TAG][@DIGEST]`; `docker.io/hello` is `docker.io/library/hello`.
 * @throws AgentError `usage.invalid`
 */
export function parseTrustReference(text: string): TrustReference {
  const [, name = '', tag, digest] = TAG_AND_DIGEST.exec(text) ?? [];
  const isImage = name === name.toLowerCase() && namesRegistry(name);
  const repository = isImage ? repositoryName(parseImageReference(name)) : name;
  if (COLLECTION.test(repository) && repository.length <= MAX_NAME_LENGTH) return { repository, tag, digest };
  throw new AgentError('usage.invalid', {
    message: `reading the repository ${JSON.stringify(text.slice(0, 200))}: it is not a name with a registry in front`,
    hint: 'write for example registry.example/acme/app',
  });
}

/** The part in front of the first slash: whose credentials are used, and where its trust server is looked for. */
export function registryOf(repository: string): string {
  return repository.slice(0, repository.indexOf('/'));
}
