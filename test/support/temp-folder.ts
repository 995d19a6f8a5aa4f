/** A folder of its own for one test, gone afterwards. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

export class TempFolder implements Disposable {
  readonly path = mkdtempSync(path.join(tmpdir(), 'touchstone-test-'));

  join(...parts: readonly string[]): string {
    return path.join(this.path, ...parts);
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}
