/** docker-authz.toml as a value. Every mistake is an error with line, column and field, and the plugin does not start. */
import { z } from 'zod';
import { tomlProblem } from '../../encoding/toml-problem.js';
import { parseToml } from '../../encoding/toml.js';
import { ENTRANCE_NAMES, type Entrance } from './entrance.js';

export interface DockerAuthzConfig {
  /** Where the engine finds the plugin. */
  readonly socket: string;
  /** File with the team rule. */
  readonly policy: string;
  readonly environment: string;
  readonly open: ReadonlySet<Entrance>;
  /** Folder of pins and of what was seen before. */
  readonly trustDir: string;
  /** Whether a repository without a pin is believed at first sight. */
  readonly firstUse: boolean;
  /** URL; the host of the registry when left out. */
  readonly server: string | undefined;
  readonly caFile: string | undefined;
  readonly plainHttp: boolean;
  /** Folders that `touchstone trust save` wrote. */
  readonly savedCopies: readonly string[];
  /** For one image. */
  readonly timeoutMs: number;
  /** How long a verified collection is used again. */
  readonly cacheMs: number;
  /** Socket of the engine. */
  readonly engine: string;
  /** Whether the image that the engine has must have the verified digest when a container is created. */
  readonly checkDigests: boolean;
}

const path = z
  .string()
  .max(4096)
  .regex(/^\/[^\0]*$/, 'not an absolute path');

const schema = z.strictObject({
  version: z.literal(1, 'not a version this release knows; write version = 1'),
  socket: path.default('/run/docker/plugins/touchstone-authz.sock'),
  policy: path,
  environment: z.string().min(1).max(100),
  allow: z.array(z.enum(ENTRANCE_NAMES, `not one of ${ENTRANCE_NAMES.join(', ')}`)).default(['pull']),
  trust: z
    .strictObject({
      folder: path.default('/var/lib/touchstone/trust'),
      'first-use': z.boolean().default(false),
      server: z.url({ protocol: /^https?$/ }).optional(),
      ca: path.optional(),
      'plain-http': z.boolean().default(false),
      'saved-copies': z.array(path).max(1024).default([]),
      'timeout-seconds': z.int().min(1).max(60).default(10),
      'cache-seconds': z.int().min(0).max(3600).default(30),
    })
    .prefault({}),
  engine: z
    .strictObject({ socket: path.default('/run/docker.sock'), 'check-digests': z.boolean().default(true) })
    .prefault({}),
});

/** @param file its name, for errors @throws AgentError `config.invalid` */
export function parseDockerAuthzConfig(text: string, file: string): DockerAuthzConfig {
  const document = parseToml(text, file);
  const parsed = schema.safeParse(document.value);
  if (!parsed.success) throw tomlProblem({ document, file, code: 'config.invalid' }, parsed.error.issues);
  const { socket, policy, environment, allow, trust, engine } = parsed.data;
  return {
    socket,
    policy,
    environment,
    open: new Set(allow),
    trustDir: trust.folder,
    firstUse: trust['first-use'],
    server: trust.server,
    caFile: trust.ca,
    plainHttp: trust['plain-http'],
    savedCopies: trust['saved-copies'],
    timeoutMs: trust['timeout-seconds'] * 1000,
    cacheMs: trust['cache-seconds'] * 1000,
    engine: engine.socket,
    checkDigests: engine['check-digests'],
  };
}
