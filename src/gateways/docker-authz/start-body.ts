/**
 * The images that a request to start something names. The engine takes keys in any case, and the last of two that differ in case only, so
 * an object that is read here may have each key once and as the API writes it.
 */
import { parseJsonStrict } from '../../encoding/json.js';
import { asAgentError } from '../../errors/agent-error.js';
import { isJsonObject } from '../../formats/json-object.js';

/** Why a body cannot be judged, as a half sentence for the user. */
export class UnjudgedBody extends Error {
  override readonly name = 'UnjudgedBody';
}

export interface StartBody {
  /** As written, the image itself first, then those that are mounted. */
  readonly images: readonly string[];
  /** A service that is an engine plugin. */
  readonly isPlugin: boolean;
}

type Fields = Readonly<Record<string, unknown>>;

const MOUNT_TYPES = ['bind', 'volume', 'tmpfs', 'npipe', 'cluster'];

/** Of `containers/create`. @throws UnjudgedBody */
export function readContainerBody(body: Buffer): StartBody {
  const container = readBody(body);
  const host = optionalObject(container, 'HostConfig');
  return {
    images: [imageOf(container), ...(host === undefined ? [] : mountedImages(host))],
    isPlugin: false,
  };
}

/** Of `services/create` and `services/ID/update`. @throws UnjudgedBody */
export function readServiceBody(body: Buffer): StartBody {
  const task = optionalObject(readBody(body), 'TaskTemplate');
  if (task === undefined) throw new UnjudgedBody('it has no TaskTemplate');
  const plugin = optionalObject(task, 'PluginSpec');
  const runtime = fieldOf(task, 'Runtime') ?? '';
  if (plugin !== undefined || runtime === 'plugin') return { images: [], isPlugin: true };
  if (runtime !== '' && runtime !== 'container') throw new UnjudgedBody('its Runtime is not container');
  const container = optionalObject(task, 'ContainerSpec');
  if (container === undefined) throw new UnjudgedBody('it has no ContainerSpec');
  return { images: [imageOf(container), ...mountedImages(container)], isPlugin: false };
}

/** Images that the HostConfig of a container mounts. @throws UnjudgedBody */
export function readMountedImages(host: unknown): readonly string[] {
  return isJsonObject(host) ? mountedImages(host) : [];
}

function readBody(body: Buffer): Fields {
  if (body.length === 0) {
    throw new UnjudgedBody('the engine shows no body that is over 1 MiB or not application/json');
  }
  let value: unknown;
  try {
    value = parseJsonStrict(body, 'the body');
  } catch (thrown) {
    throw new UnjudgedBody(asAgentError(thrown).message);
  }
  return strictObject(value, 'the body');
}

function strictObject(value: unknown, what: string): Fields {
  if (!isJsonObject(value)) throw new UnjudgedBody(`${what} is not an object`);
  const folded = new Set<string>();
  for (const key of Object.keys(value)) {
    const same = fold(key);
    if (folded.has(same))
      throw new UnjudgedBody(`${what} has the key ${JSON.stringify(key)} in two spellings`);
    folded.add(same);
  }
  return value;
}

/** Go's JSON reader also takes the long s and the Kelvin sign for letters. */
function fold(key: string): string {
  return key.toUpperCase().toLowerCase();
}

/** The value of a key; null counts as missing, as it does for the engine. */
function fieldOf(object: Fields, name: string): unknown {
  const written = Object.keys(object).find((key) => fold(key) === fold(name));
  if (written !== undefined && written !== name) {
    throw new UnjudgedBody(`it writes ${JSON.stringify(written)} where the API has "${name}"`);
  }
  return object[name] ?? undefined;
}

function optionalObject(object: Fields, name: string): Fields | undefined {
  const value = fieldOf(object, name);
  return value === undefined ? undefined : strictObject(value, name);
}

function imageOf(object: Fields): string {
  const image = fieldOf(object, 'Image');
  if (typeof image === 'string' && image !== '') return image;
  throw new UnjudgedBody('it names no image');
}

function mountedImages(object: Fields): readonly string[] {
  const mounts = fieldOf(object, 'Mounts') ?? [];
  if (!Array.isArray(mounts)) throw new UnjudgedBody('Mounts is not a list');
  return mounts.flatMap((written: unknown) => {
    const mount = strictObject(written, 'a mount');
    const type = fieldOf(mount, 'Type');
    if (typeof type === 'string' && MOUNT_TYPES.includes(type)) return [];
    const source = fieldOf(mount, 'Source');
    if (type === 'image' && typeof source === 'string') return [source];
    throw new UnjudgedBody('it has a mount of a type that is not known here');
  });
}
