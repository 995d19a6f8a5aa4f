/**
 * Containers that exist already. What they run is what the engine has under the id of their image, whatever name it was created by, so they
 * are judged by the digests of that image. A container that may not start gets no other name either: a name that was judged cannot come to
 * mean it in the moment before the engine looks.
 */
import { asAgentError } from '../../errors/agent-error.js';
import type { LocalContainer, LocalContainers, LocalDigests } from './image-judge.js';
import { readMountedImages, UnjudgedBody } from './start-body.js';

export interface EngineState {
  readonly containers: LocalContainers;
  readonly digests: LocalDigests;
}

/** The images that it runs: of the first ones any has to be verified, of the mounted ones each. */
export interface ExistingImages {
  readonly digests: readonly string[];
  readonly mounted: readonly string[];
}

const NAME = /^[A-Za-z0-9_.-]{1,255}$/;
const SHORT_ID = /^[0-9a-f]{1,63}$/;

/**
 * What a container named in a path runs, or why that cannot be told, as a sentence for the user.
 * @param name as in the path
 */
export async function existingImages(name: string, engine: EngineState): Promise<ExistingImages | string> {
  if (!NAME.test(name)) return 'the container is not named as engines name them';
  try {
    const container = await engine.containers(name);
    if (container === undefined) return `the engine has no container ${name}`;
    if (SHORT_ID.test(name) && !container.id.startsWith(name))
      return `${name} is the name of one container and could be the id of another; use ${container.id}`;
    return await imagesOf(name, container, engine);
  } catch (thrown) {
    const why = thrown instanceof UnjudgedBody ? thrown.message : asAgentError(thrown).message;
    return `${name} cannot be judged: ${why}`;
  }
}

async function imagesOf(
  name: string,
  { image, host }: LocalContainer,
  engine: EngineState,
): Promise<ExistingImages | string> {
  const digests = await engine.digests(image);
  if (digests === undefined) return `${name} may not start: the engine no longer has its image`;
  if (digests.length === 0) return `${name} may not start: its image came from no registry`;
  return { digests, mounted: readMountedImages(host) };
}
