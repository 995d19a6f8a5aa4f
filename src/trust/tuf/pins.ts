/** Roots that are trusted on this machine, one file for each repository. It moves on with every root that was verified from it. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { AgentError } from '../../errors/agent-error.js';
import { readTufRoot } from '../../formats/tuf/reader.js';
import { errnoOf } from '../../platform/errno.js';
import { writeFileAtomic } from '../../platform/store/atomic-file.js';
import { readFileBounded } from '../../platform/store/bounded-read.js';
import { ensurePrivateFolder } from '../../platform/store/private-folder.js';
import { CLIENT_LIMITS } from './folder.js';

export class TufPins {
  readonly #folder: string;

  /** @param trustDir the folder of all trust data of this user */
  constructor(trustDir: string) {
    this.#folder = join(trustDir, 'tuf');
  }

  /** @throws AgentError `usage.file` */
  load(repository: string): Buffer | undefined {
    return readFileBounded(this.#file(repository), CLIENT_LIMITS.root);
  }

  /** @throws AgentError `state.write`, `tuf.document` for what is no root */
  save(repository: string, root: Buffer): void {
    readTufRoot(root);
    if (this.load(repository)?.equals(root) === true) return;
    ensurePrivateFolder(this.#folder, 'state');
    writeFileAtomic(this.#file(repository), root);
  }

  /** @throws AgentError `state.write` */
  forget(repository: string): void {
    const path = this.#file(repository);
    try {
      rmSync(path, { force: true });
    } catch (cause) {
      throw new AgentError('state.write', { message: `removing ${path}: ${errnoOf(cause)}`, cause });
    }
  }

  #file(repository: string): string {
    return join(this.#folder, `${encodeURIComponent(repository)}.root.json`);
  }
}
