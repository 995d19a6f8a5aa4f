/** The session of one repository of a registry: where it is, and whether over TLS. */
import { registryAuthority, type ConfigPlace } from './docker-config.js';
import type { ImageReference } from './image-reference.js';
import { REGISTRY_SERVICE } from './service.js';
import { ServerSession } from './session.js';

/** Docker's own registry answers under another name than the one people write. */
const DOCKER_HUB_HOST = 'registry-1.docker.io';

export interface SessionOptions extends ConfigPlace {
  /** Talk without TLS to registries that are not this machine. */
  readonly plainHttp?: boolean | undefined;
  /** PEM, trusted beside the usual authorities; with it a registry of this machine is asked over TLS as well. */
  readonly ca?: string | undefined;
  /** Absolute time for everything that is asked, milliseconds since the epoch. */
  readonly deadline: number;
}

/** Nothing is asked yet. */
export function registrySession(reference: ImageReference, options: SessionOptions): ServerSession {
  const { registry, repository } = reference;
  const ca = options.ca ?? registryAuthority(registry, options);
  const host = registry === 'docker.io' ? DOCKER_HUB_HOST : registry;
  const isPlain = options.plainHttp === true || (isLoopback(registry) && ca === undefined);
  return new ServerSession({
    service: REGISTRY_SERVICE,
    name: `${registry}/${repository}`,
    base: new URL(`${isPlain ? 'http' : 'https'}://${host}/v2/${repository}/`),
    registry,
    scopeName: repository,
    ca,
    deadline: options.deadline,
    place: options,
  });
}

/** Whether `HOST[:PORT]` is this machine. */
export function isLoopback(host: string): boolean {
  const { hostname } = new URL(`http://${host}`);
  return hostname === 'localhost' || hostname.startsWith('127.') || hostname === '[::1]';
}
