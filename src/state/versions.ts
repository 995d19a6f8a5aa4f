/**
 * Format and version of state files. A file of a newer release is refused; one of an older release is brought forward
 * step by step, with a copy of the original kept beside it.
 */
import type { z } from 'zod';
import { parseJsonStrict } from '../encoding/json.js';
import { AgentError } from '../errors/agent-error.js';
import { writeFileAtomic } from '../platform/store/atomic-file.js';
import { readFileBounded } from '../platform/store/bounded-read.js';

/** Brings the content of version `from` to version `from + 1`; pure. */
export interface Migration {
  readonly from: number;
  readonly migrate: (content: Readonly<Record<string, unknown>>) => Record<string, unknown>;
}

/** What a state file holds: a JSON object with `format` and `version`. */
export interface StateFormat<S extends z.ZodType> {
  readonly format: string;
  /** The version that this release writes. */
  readonly version: number;
  readonly schema: S;
  readonly maxBytes: number;
  /** From every older version that is still read; none while there was only one. */
  readonly migrations: readonly Migration[];
}

/**
 * Content of a state file, migrated if it is older, or undefined when there is none.
 * @throws AgentError `state.damaged` naming the field, `state.version` for another format or an unknown version.
 */
export function loadStateFile<S extends z.ZodType>(
  path: string,
  format: StateFormat<S>,
): z.output<S> | undefined {
  const bytes = readFileBounded(path, format.maxBytes);
  if (bytes === undefined) return undefined;
  const content = parseObject(path, bytes);
  const version = versionOf(path, content, format);
  const current = migrated(path, content, version, format);
  const parsed = format.schema.safeParse(current);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw damaged(path, `${issue?.path.join('.') ?? ''}: ${issue?.message.toLowerCase() ?? 'not valid'}`);
  }
  if (version < format.version) {
    writeFileAtomic(`${path}.v${version}`, bytes);
    saveStateFile(path, current);
  }
  return parsed.data;
}

/** Writes a state file (0600), one field per line so that a person can read it. @throws AgentError `state.write` */
export function saveStateFile(path: string, content: object): void {
  writeFileAtomic(path, `${JSON.stringify(content, null, 2)}\n`);
}

function parseObject(path: string, bytes: Buffer): Readonly<Record<string, unknown>> {
  const value = parseJsonStrict(bytes, path, 'state.damaged');
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw damaged(path, 'not an object');
  return value as Record<string, unknown>;
}

function versionOf<S extends z.ZodType>(
  path: string,
  content: Readonly<Record<string, unknown>>,
  format: StateFormat<S>,
): number {
  if (content['format'] !== format.format) {
    throw new AgentError('state.version', {
      message: `${path}: its format is not ${format.format}`,
      details: { path },
    });
  }
  const version = content['version'];
  if (typeof version !== 'number' || !Number.isInteger(version) || version < 0) {
    throw damaged(path, 'version: not a whole number');
  }
  if (version > format.version) throw unknownVersion(path, version, format.version);
  return version;
}

function migrated<S extends z.ZodType>(
  path: string,
  content: Readonly<Record<string, unknown>>,
  version: number,
  format: StateFormat<S>,
): Readonly<Record<string, unknown>> {
  let current = content;
  for (let from = version; from < format.version; from += 1) {
    const step = format.migrations.find((migration) => migration.from === from);
    if (step === undefined) throw unknownVersion(path, version, format.version);
    current = { ...step.migrate(current), format: format.format, version: from + 1 };
  }
  return current;
}

function unknownVersion(path: string, version: number, known: number): AgentError {
  return new AgentError('state.version', {
    message: `${path}: version ${version} is unknown, this release knows ${known}`,
    details: { path, version, known },
  });
}

function damaged(path: string, what: string): AgentError {
  return new AgentError('state.damaged', { message: `${path}: ${what}`, details: { path } });
}
