/** The memory of a reader on disk: one file per repository in the trust folder, replaced as a whole. */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { z } from 'zod';
import { parseJsonStrict } from '../encoding/json.js';
import { AgentError } from '../errors/agent-error.js';
import { isJsonObject } from '../formats/json-object.js';
import { readEnvelope } from '../formats/notary1/reader.js';
import { writeFileAtomic } from '../platform/store/atomic-file.js';
import { readFileBounded } from '../platform/store/bounded-read.js';
import { ensurePrivateFolder } from '../platform/store/private-folder.js';
import type { SeenCollection, SeenFile, TrustMemory } from './memory.js';

const MAX_BYTES = 64 * 1024 * 1024;
const MAX_PLAIN_NAME = 180;
const FOLDER = 'seen';
const FORMAT = 'touchstone-trust-seen';

const hex = z.string().regex(/^[0-9a-f]{64}$/);
const schema = z.strictObject({
  format: z.literal(FORMAT),
  version: z.literal(1),
  repository: z.string(),
  anchor: z.string(),
  root: z.base64(),
  roles: z.record(
    z.string(),
    z.strictObject({ version: z.int().min(1), sha256: hex, keyIds: z.array(z.string()) }),
  ),
});

export class FolderMemory implements TrustMemory {
  readonly #folder: string;

  /** @param trustFolder made when the first thing is remembered */
  constructor(trustFolder: string) {
    this.#folder = join(trustFolder, FOLDER);
  }

  /** Undefined when nothing was seen yet. @throws AgentError `state.damaged` for a file that is not ours */
  load(repository: string): SeenCollection | undefined {
    const path = this.#file(repository);
    const bytes = readFileBounded(path, MAX_BYTES);
    if (bytes === undefined) return undefined;
    const value = parseJsonStrict(bytes, `reading ${path}`, 'state.damaged');
    if (isJsonObject(value) && typeof value['version'] === 'number' && value['version'] > 1) {
      throw new AgentError('state.version', { details: { path } });
    }
    const parsed = schema.safeParse(value);
    if (!parsed.success || parsed.data.repository !== repository) {
      throw new AgentError('state.damaged', {
        message: `reading ${path}: it does not hold what was seen of ${repository}`,
        hint: `if nobody tampered with it, remove it; "touchstone trust pin ${repository}" before the next read`,
        details: { path },
      });
    }
    const { anchor, root, roles } = parsed.data;
    return {
      anchor,
      root: Buffer.from(root, 'base64'),
      roles: new Map<string, SeenFile>(Object.entries(roles)),
    };
  }

  /** Another reader of this machine may have seen more in the meantime: then its word stays. */
  save(repository: string, seen: SeenCollection): void {
    const stored = this.load(repository);
    if (stored !== undefined && stored.anchor === seen.anchor && isBehind(seen, stored)) return;
    const { anchor, root, roles } = seen;
    const json = {
      format: FORMAT,
      version: 1,
      repository,
      anchor,
      root: root.toString('base64'),
      roles: Object.fromEntries(roles),
    };
    ensurePrivateFolder(this.#folder, 'state');
    writeFileAtomic(this.#file(repository), `${JSON.stringify(json)}\n`);
  }

  /** Slashes become plus signs, which no repository has in its name. */
  #file(repository: string): string {
    const name =
      repository.length <= MAX_PLAIN_NAME
        ? repository.replaceAll('/', '+')
        : createHash('sha256').update(repository, 'utf8').digest('hex');
    return join(this.#folder, `${name}.json`);
  }
}

function isBehind(seen: SeenCollection, stored: SeenCollection): boolean {
  const [own, other] = [seen, stored].map(({ root }) => readEnvelope(root, 'root').document.version);
  if (own !== other) return (own ?? 0) < (other ?? 0);
  const [ours, theirs] = [seen, stored].map(({ roles }) => roles.get('timestamp'));
  const haveSameKeys = ours?.keyIds.join() === theirs?.keyIds.join();
  return theirs !== undefined && haveSameKeys && (ours?.version ?? 0) < theirs.version;
}
