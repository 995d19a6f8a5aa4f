/** The version of a file that is no metadata for us, and is one for its server: what comes next has to be above it. */
import { isJsonObject } from '../formats/json-object.js';

/** The highest that a number of ours holds exactly. Nothing can be published above it. */
export const LAST_VERSION = Number.MAX_SAFE_INTEGER;

/**
 * The highest version that any reading of the file finds, at most `LAST_VERSION`: servers take the last of two equal keys, and do not
 * mind capitals. Undefined when there is none.
 */
export function versionIn(file: Buffer): number | undefined {
  const versions = valuesOf(parsed(file), 'signed')
    .flatMap((signed) => valuesOf(signed, 'version'))
    .flatMap((version) => (typeof version === 'number' && version >= 1 ? [Math.floor(version)] : []));
  return versions.length === 0 ? undefined : Math.min(LAST_VERSION, Math.max(...versions));
}

function parsed(file: Buffer): unknown {
  try {
    return JSON.parse(file.toString('utf8'));
  } catch {
    return undefined;
  }
}

function valuesOf(value: unknown, key: string): readonly unknown[] {
  if (!isJsonObject(value)) return [];
  return Object.entries(value).flatMap(([name, one]) => (name.toLowerCase() === key ? [one] : []));
}
