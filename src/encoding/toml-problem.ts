/** Turns what a schema says of a TOML document into one error that points at the field: file, line, column, reason. */
import { AgentError } from '../errors/agent-error.js';
import type { ErrorCode } from '../errors/codes.js';
import type { TomlDocument } from './toml.js';

/** What we need of a schema's issue; any schema library with paths and messages fits. */
export interface SchemaIssue {
  readonly path: readonly PropertyKey[];
  readonly message: string;
  readonly code?: string | undefined;
  /** Names of fields that the schema does not know. */
  readonly keys?: readonly string[] | undefined;
}

export interface TomlSource {
  readonly document: TomlDocument;
  /** File name as the person knows it. */
  readonly file: string;
  readonly code: ErrorCode;
}

interface Problem {
  readonly path: readonly (string | number)[];
  readonly reason: string;
  readonly line: number;
  readonly column: number;
}

/** The first problem of the document, from its top, wrong fields before rules between fields, as an error with `file`, `line`, `column` and `field` in the details. */
export function tomlProblem(source: TomlSource, issues: readonly SchemaIssue[]): AgentError {
  // Rules between fields also run over wrong fields, and would hide what is wrong with them.
  const plain = issues.filter((issue) => issue.code !== 'custom');
  const problems = (plain.length > 0 ? plain : issues).flatMap((issue) => problemsOf(source.document, issue));
  problems.sort((a, b) => a.line - b.line || a.column - b.column);
  const first = problems[0] ?? { path: [], reason: 'not valid', line: 1, column: 1 };
  const field = fieldName(first.path);
  const { line, column } = first;
  const { file, code } = source;
  const subject = field === '' ? '' : `${field}: `;
  return new AgentError(code, {
    message: `${file}, line ${line}, column ${column}: ${subject}${first.reason}`,
    details: { file, line, column, field },
  });
}

function problemsOf(document: TomlDocument, issue: SchemaIssue): readonly Problem[] {
  const path = issue.path.map((part) => (typeof part === 'number' ? part : String(part)));
  if (issue.code === 'unrecognized_keys' && issue.keys !== undefined) {
    return issue.keys.map((key) => {
      const full = [...path, key];
      return { path: full, reason: 'no such field', ...document.locate(full) };
    });
  }
  return [{ path, reason: reasonOf(issue.message), ...document.locate(path) }];
}

function reasonOf(message: string): string {
  if (message.endsWith('received undefined')) return 'missing';
  const plain = message.replace(/^Invalid input: /, '');
  return plain.charAt(0).toLowerCase() + plain.slice(1);
}

/** `rule[0].limits.per_hour`: indices as in the order of the file, from 0. */
export function fieldName(path: readonly (string | number)[]): string {
  return path.reduce<string>((name, part) => {
    if (typeof part === 'number') return `${name}[${part}]`;
    return name === '' ? part : `${name}.${part}`;
  }, '');
}
