/** TOML 1.0 text to a value, with the line and column of every key so that schema errors can point at them. */
import { parse, TomlError } from 'smol-toml';
import { AgentError } from '../errors/agent-error.js';
import type { ErrorCode } from '../errors/codes.js';
import { locateKeys, pathKey, type TomlPath, type TomlPosition } from './toml-positions.js';

export interface TomlDocument {
  readonly value: Readonly<Record<string, unknown>>;
  /** Position of the key at `path`, or of the closest parent that was written; line 1, column 1 for the document. */
  locate(path: TomlPath): TomlPosition;
}

/**
 * Parses a document.
 * @throws AgentError `code` (default `config.invalid`) with `line` and `column` (from 1) in the details.
 */
export function parseToml(text: string, what: string, code: ErrorCode = 'config.invalid'): TomlDocument {
  const value = parseOrFail(text, what, code);
  const positions = locateKeys(text);
  return {
    value,
    locate(path) {
      for (let length = path.length; length > 0; length -= 1) {
        const position = positions.get(pathKey(path.slice(0, length)));
        if (position !== undefined) return position;
      }
      return { line: 1, column: 1 };
    },
  };
}

function parseOrFail(text: string, what: string, code: ErrorCode): Record<string, unknown> {
  try {
    return parse(text);
  } catch (cause) {
    if (!(cause instanceof TomlError)) throw cause;
    const { line, column } = cause;
    // The first line is the reason; the rest quotes the document, which may name files we must not repeat.
    const reason =
      repeated(cause.message, text.split('\n')[line - 1] ?? '') ??
      (cause.message.split('\n')[0] ?? '').replace(/^Invalid TOML document: /, '');
    throw new AgentError(code, {
      message: `${what}, line ${line}, column ${column}: ${reason}`,
      details: { line, column },
    });
  }
}

/** A section that was appended a second time is the mistake people make most: it is named, and nothing else of the line. */
function repeated(message: string, line: string): string | undefined {
  if (!message.includes('redefine')) return undefined;
  const name = /^\s*(\[[\w.-]+\]|[\w.-]+(?=\s*=))/.exec(line)?.[1];
  return name === undefined ? undefined : `${name} is in the file already, and can be there once`;
}
