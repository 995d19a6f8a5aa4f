/** Image references as people write them: `HOST[:PORT]/NAME[:TAG][@DIGEST]`. The registry must be written out: nothing is guessed. */
import { AgentError } from '../errors/agent-error.js';

export interface ImageReference {
  /** As written, for example `docker.io` or `localhost:5000`. */
  readonly registry: string;
  readonly repository: string;
  readonly tag?: string | undefined;
  /** `sha256:` and 64 lower-case hex digits. */
  readonly digest?: string | undefined;
}

const HOST = /^(?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:]+\])(?::[0-9]{1,5})?$/;
const NAME = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;
const TAG = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/;
const DIGEST = /^sha256:[0-9a-f]{64}$/;
const MAX_NAME_LENGTH = 255;

/** Whether the text begins with a registry (a name with a dot or port, or localhost), so that it cannot be a file. */
export function namesRegistry(text: string): boolean {
  const slash = text.indexOf('/');
  const host = text.slice(0, Math.max(slash, 0));
  return HOST.test(host) && (host === 'localhost' || host.includes('.') || host.includes(':'));
}

/**
 * Reads a reference; `docker.io/hello` is `docker.io/library/hello`.
 * @throws AgentError `usage.invalid` naming the part.
 */
export function parseImageReference(text: string): ImageReference {
  if (!namesRegistry(text)) {
    throw invalid(text, 'it does not begin with a registry', 'write for example docker.io/library/hello:1.0');
  }
  const slash = text.indexOf('/');
  const registry = text.slice(0, slash);
  const [named, digest] = split(text.slice(slash + 1), '@');
  const [name, tag] = split(named, ':');
  const repository = registry === 'docker.io' && !name.includes('/') ? `library/${name}` : name;
  if (!NAME.test(repository) || repository.length > MAX_NAME_LENGTH)
    throw invalid(text, 'the name is not a repository name');
  if (tag !== undefined && !TAG.test(tag)) throw invalid(text, 'the tag is not valid');
  if (digest !== undefined && !DIGEST.test(digest))
    throw invalid(text, 'the digest is not sha256: and 64 lower-case hex digits');
  return { registry, repository, tag, digest };
}

/** Registry and repository, without tag and digest: what signatures state and keys are named after. */
export function repositoryName(reference: ImageReference): string {
  return `${reference.registry}/${reference.repository}`;
}

function split(text: string, separator: string): readonly [string, string | undefined] {
  const at = text.indexOf(separator);
  return at === -1 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}

function invalid(text: string, problem: string, hint?: string): AgentError {
  const shown = JSON.stringify(text.slice(0, 200));
  return new AgentError('usage.invalid', {
    message: `reading the image reference ${shown}: ${problem}`,
    ...(hint === undefined ? {} : { hint }),
  });
}
