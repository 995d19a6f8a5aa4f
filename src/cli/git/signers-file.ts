/** Lines of an allowed signers file: ours come and go, everybody else's stay as they are. */
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { writeFileAtomic } from '../../platform/store/atomic-file.js';

const PUBLIC_MODE = 0o644;

function linesOf(file: string): readonly string[] {
  if (!existsSync(file)) return [];
  return readFileSync(file, 'utf8').replace(/\n$/, '').split('\n');
}

/** @returns whether the line was not there before */
export function addSigner(file: string, line: string): boolean {
  const lines = linesOf(file);
  if (lines.includes(line)) return false;
  writeFileAtomic(
    file,
    [...lines.filter((one, at) => one !== '' || at > 0), line, ''].join('\n'),
    PUBLIC_MODE,
  );
  return true;
}

/** Removes a file that holds nothing else. */
export function removeSigners(file: string, gone: readonly string[]): void {
  const lines = linesOf(file);
  const kept = lines.filter((line) => !gone.includes(line));
  if (kept.length === lines.length) return;
  if (kept.every((line) => line === '')) rmSync(file, { force: true });
  else writeFileAtomic(file, [...kept, ''].join('\n'), PUBLIC_MODE);
}
