/** `MANIFEST`: SHA-256 of every file, in the form that `sha256sum -c` takes. Its own hash is the one value that is read aloud. */
import { isUtf8 } from 'node:buffer';
import { AgentError } from '../errors/agent-error.js';
import { sha256Hex } from './one-form.js';

const LINE = /^([0-9a-f]{64}) {2}([A-Za-z0-9][A-Za-z0-9._%-]*(?:\/[A-Za-z0-9][A-Za-z0-9._%-]*)*)$/;

/** Hex SHA-256 by path within the folder. */
export type Manifest = ReadonlyMap<string, string>;

/** @param files content by path within the folder */
export function manifestOf(files: ReadonlyMap<string, Uint8Array>): Manifest {
  return new Map([...files].map(([path, bytes]) => [path, sha256Hex(bytes)]));
}

/** One line for each file, sorted by path. */
export function writeManifest(manifest: Manifest): Buffer {
  const lines = [...manifest]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([path, hash]) => `${hash}  ${path}\n`);
  return Buffer.from(lines.join(''), 'utf8');
}

/** @throws AgentError `ceremony.file` for anything but what `writeManifest` writes */
export function readManifest(bytes: Buffer): Manifest {
  if (!isUtf8(bytes)) throw invalid('it is not text');
  const manifest = new Map<string, string>();
  for (const line of bytes.toString('utf8').split('\n').slice(0, -1)) {
    const [, hash, path] = LINE.exec(line) ?? [];
    if (hash === undefined || path === undefined) throw invalid('a line is not "HASH  PATH"');
    manifest.set(path, hash);
  }
  if (!writeManifest(manifest).equals(bytes)) throw invalid('its lines are not sorted, each once');
  return manifest;
}

function invalid(problem: string): AgentError {
  return new AgentError('ceremony.file', {
    message: `reading MANIFEST: ${problem}`,
    details: { file: 'MANIFEST' },
  });
}
