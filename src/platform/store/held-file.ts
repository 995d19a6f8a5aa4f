/** A file that grows under another name, and is there under its own only once it is whole and wanted. */
import * as fs from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { removeLeftovers, requireReplaceable, syncFolder, writeError } from './atomic-file.js';

const PRIVATE_MODE = 0o600;

/** Disposing of it without `keep` removes it. */
export class HeldFile implements Disposable {
  readonly #path: string;
  readonly #temporary: string;
  readonly #fd: number;
  #isOpen = true;

  /** @param path where it is to be @throws AgentError `state.write` with path and errno */
  constructor(path: string) {
    this.#path = path;
    const folder = dirname(path);
    this.#temporary = join(folder, `.${basename(path)}.${process.pid}.tmp`);
    requireReplaceable(path);
    const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = fs.constants;
    try {
      removeLeftovers(folder, basename(path));
      this.#fd = fs.openSync(this.#temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, PRIVATE_MODE);
    } catch (cause) {
      throw writeError(path, cause);
    }
  }

  /** @throws AgentError `state.write` */
  write(bytes: Uint8Array): void {
    try {
      for (let at = 0; at < bytes.length;) at += fs.writeSync(this.#fd, bytes, at);
    } catch (cause) {
      throw writeError(this.#path, cause);
    }
  }

  /** Puts it where it is to be, durably. @throws AgentError `state.write`; the old file is then untouched */
  keep(mode: number): void {
    try {
      fs.fchmodSync(this.#fd, mode);
      fs.fsyncSync(this.#fd);
      fs.renameSync(this.#temporary, this.#path);
      this.#close();
      syncFolder(dirname(this.#path));
    } catch (cause) {
      throw writeError(this.#path, cause);
    }
  }

  [Symbol.dispose](): void {
    if (!this.#isOpen) return;
    this.#close();
    fs.rmSync(this.#temporary, { force: true });
  }

  #close(): void {
    this.#isOpen = false;
    fs.closeSync(this.#fd);
  }
}
