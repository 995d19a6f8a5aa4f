/** How fast the disk answers fdatasync: to be read beside every figure with durability. */
import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { callRate, type Bench } from './measurement.js';

export function diskSync(): Bench {
  const folder = mkdtempSync(path.join(tmpdir(), 'touchstone-disk-'));
  const file = openSync(path.join(folder, 'log'), 'a');
  const line = Buffer.alloc(400, 0x20);
  return {
    rows: [
      {
        id: 'fdatasync',
        label: 'disk: append 400 bytes + fdatasync',
        unit: 'syncs/s',
        measure: (seconds) =>
          Promise.resolve({
            value: callRate(seconds, () => {
              writeSync(file, line);
              fdatasyncSync(file);
            }),
          }),
      },
    ],
    [Symbol.asyncDispose]: () => {
      closeSync(file);
      rmSync(folder, { recursive: true });
      return Promise.resolve();
    },
  };
}
