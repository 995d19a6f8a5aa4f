import { ERROR_TABLE, type ErrorCode, type ErrorRow } from './codes.js';

/** Facts that travel with an error. Never a secret, never payload bytes. */
export type ErrorDetails = Readonly<Record<string, string | number | boolean | null | readonly string[]>>;

export interface AgentErrorOptions {
  /** Replaces the sentence of the table where a name or number makes it exact. */
  readonly message?: string;
  /** Replaces the hint of the table where the next command is known exactly. */
  readonly hint?: string;
  readonly details?: ErrorDetails;
  readonly cause?: unknown;
}

/** What crosses a process: the same error as plain data. */
export interface ErrorData {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint: string;
  readonly details?: ErrorDetails | undefined;
}

/** The only error the project throws on purpose. */
export class AgentError extends Error {
  readonly code: ErrorCode;
  readonly hint: string;
  readonly details: ErrorDetails | undefined;

  constructor(code: ErrorCode, options: AgentErrorOptions = {}) {
    const row: ErrorRow = ERROR_TABLE[code];
    super(
      options.message ?? row.sentence,
      options.cause === undefined ? undefined : { cause: options.cause },
    );
    this.name = 'AgentError';
    this.code = code;
    this.hint = options.hint ?? row.hint;
    this.details = options.details;
  }

  get row(): ErrorRow {
    return ERROR_TABLE[this.code];
  }

  toData(): ErrorData {
    return { code: this.code, message: this.message, hint: this.hint, details: this.details };
  }

  static fromData(data: ErrorData): AgentError {
    const known = Object.hasOwn(ERROR_TABLE, data.code);
    return new AgentError(known ? data.code : 'internal.unexpected', {
      message: data.message,
      hint: data.hint,
      ...(data.details === undefined ? {} : { details: data.details }),
    });
  }
}

/** Turns anything thrown into an AgentError; what was not thrown on purpose becomes `internal.unexpected`. */
export function asAgentError(thrown: unknown): AgentError {
  if (thrown instanceof AgentError) return thrown;
  return new AgentError('internal.unexpected', { cause: thrown });
}

/** Ends the request (or the process, in the token host) when something impossible happened. */
export function invariant(condition: boolean, what: string): asserts condition {
  if (!condition) throw new AgentError('internal.unexpected', { message: `internal: ${what}` });
}
