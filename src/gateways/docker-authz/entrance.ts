/** The ways by which something that is not a signed image comes to the engine; each is closed unless the configuration opens it. */

/** What each of them is, in the words of a refusal. */
export const ENTRANCES = {
  pull: 'pulling images',
  build: 'building images',
  commit: 'making images of containers',
  import: 'importing images',
  load: 'loading images',
  plugins: 'installing and changing plugins',
  start: 'starting containers that exist already, unjudged',
  checkpoint: 'starting containers from checkpoints',
  swarm: 'making or joining a swarm, whose other managers this plugin does not see',
  configs: 'configs and secrets, the files that a swarm puts into containers',
  rollback: 'going back to an earlier version of a service, whose image the request does not name',
} as const;

export type Entrance = keyof typeof ENTRANCES;

export const ENTRANCE_NAMES = Object.keys(ENTRANCES) as readonly Entrance[];
