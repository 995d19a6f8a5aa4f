/**
 * Image references as the engine reads them: `app` is `docker.io/library/app`. Everything that could name an image by its id, or that the
 * engine and we could read differently, is not a reference.
 */

export interface EngineReference {
  /** With its registry, for example `docker.io/library/app`: what signatures are about. */
  readonly repository: string;
  readonly tag: string | undefined;
  /** `sha256:` and 64 lower-case hex digits. */
  readonly digest: string | undefined;
}

const DEFAULT_REGISTRY = 'docker.io';
const OFFICIAL = 'library';
const REGISTRY = /^(?:localhost|[a-z0-9-]+(?:\.[a-z0-9-]+)*)(?::[0-9]{1,5})?$/;
const PART = '[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*';
const NAME = new RegExp(`^${PART}(?:/${PART})*$`);
const TAG = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/;
const DIGEST = /^sha256:[0-9a-f]{64}$/;
/** The engine takes 64 hex digits for an id, whatever repositories are called. */
const ID = /^(?:sha256:)?[0-9a-f]{64}$/;
const MAX_NAME_LENGTH = 255;

/** The reference, or undefined for an id and for text that is none. */
export function parseEngineReference(text: string): EngineReference | undefined {
  if (ID.test(text)) return undefined;
  const at = text.indexOf('@');
  const digest = at === -1 ? undefined : text.slice(at + 1);
  const named = at === -1 ? text : text.slice(0, at);
  // A colon before the last slash belongs to the port of the registry.
  const colon = named.indexOf(':', named.lastIndexOf('/') + 1);
  const tag = colon === -1 ? undefined : named.slice(colon + 1);
  const repository = repositoryOf(colon === -1 ? named : named.slice(0, colon));
  if (repository === undefined) return undefined;
  if (tag !== undefined && !TAG.test(tag)) return undefined;
  if (digest !== undefined && !DIGEST.test(digest)) return undefined;
  return { repository, tag, digest };
}

function repositoryOf(text: string): string | undefined {
  const slash = text.indexOf('/');
  const first = text.slice(0, Math.max(slash, 0));
  const isRegistry = first === 'localhost' || first.includes('.') || first.includes(':');
  const registry = !isRegistry || first === 'index.docker.io' ? DEFAULT_REGISTRY : first;
  const rest = isRegistry ? text.slice(slash + 1) : text;
  const name = registry === DEFAULT_REGISTRY && !rest.includes('/') ? `${OFFICIAL}/${rest}` : rest;
  if (!REGISTRY.test(registry) || !NAME.test(name)) return undefined;
  const repository = `${registry}/${name}`;
  return repository.length <= MAX_NAME_LENGTH ? repository : undefined;
}
