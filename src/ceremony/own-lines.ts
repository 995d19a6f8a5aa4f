/**
 * Which lines of transcripts this machine wrote itself. A folder may come with a transcript in which somebody opens and confirms it; what is
 * signed here has to have been opened and confirmed here. The hash of a line covers everything before it.
 */
import { join } from 'node:path';
import { z } from 'zod';
import { parseJsonStrict } from '../encoding/json.js';
import { AgentError } from '../errors/agent-error.js';
import { writeFileAtomic } from '../platform/store/atomic-file.js';
import { readFileBounded } from '../platform/store/bounded-read.js';
import { ensurePrivateFolder } from '../platform/store/private-folder.js';
import { sha256Field } from './fields.js';

/** Two for each time that a folder is opened and confirmed: who opens more often opens once more. */
const MAX_LINES = 1_024;
const MAX_BYTES = 128 * 1024;

const linesSchema = z.strictObject({
  format: z.literal('touchstone-ceremony-lines'),
  version: z.literal(1),
  /** Hashes, the newest last. */
  lines: z.array(sha256Field).max(MAX_LINES),
});

export class OwnLines {
  readonly #folder: string;

  /** @param stateDir absolute */
  constructor(stateDir: string) {
    this.#folder = join(stateDir, 'ceremony');
  }

  /** @param hash of a line @throws AgentError `state.damaged`, `usage.file` */
  has(hash: string): boolean {
    return this.#load().includes(hash);
  }

  /** Remembers a line that is on disk. @throws AgentError `state.damaged`, `state.folder`, `state.write` */
  note(hash: string): void {
    ensurePrivateFolder(this.#folder, 'state');
    const lines = [...this.#load(), hash].slice(-MAX_LINES);
    const content = { format: 'touchstone-ceremony-lines', version: 1, lines };
    writeFileAtomic(this.#path, `${JSON.stringify(content, null, 2)}\n`);
  }

  get #path(): string {
    return join(this.#folder, 'lines.json');
  }

  #load(): readonly string[] {
    const bytes = readFileBounded(this.#path, MAX_BYTES);
    if (bytes === undefined) return [];
    const parsed = linesSchema.safeParse(parseJsonStrict(bytes, this.#path, 'state.damaged'));
    if (parsed.success) return parsed.data.lines;
    throw new AgentError('state.damaged', {
      message: `${this.#path}: it is not a list of lines of transcripts`,
      hint: 'remove it, and open the ceremony again',
      details: { path: this.#path },
    });
  }
}
