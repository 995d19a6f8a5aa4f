/** Our errors as a gRPC status. What it says is shown to the person who publishes: a notary-server hands it on as it is. */
import { Code, ConnectError } from '@connectrpc/connect';
import { asAgentError, type AgentError } from '../../errors/agent-error.js';

/** A client reads 1 KiB of an error, and the server puts words of its own around this. */
const MAX_TEXT = 700;

/**
 * Codes of ours, or areas of them, and their status; the first that fits. What passes by itself or with an unlock is never NotFound: a
 * server would have a new key made.
 */
const STATUSES: readonly (readonly [string, Code])[] = [
  ['policy.', Code.PermissionDenied],
  ['peer.', Code.PermissionDenied],
  ['statement.repository', Code.PermissionDenied],
  ['statement.', Code.InvalidArgument],
  ['guard.', Code.FailedPrecondition],
  ['key.unknown', Code.NotFound],
  ['key.locked', Code.Unavailable],
  ['key.retired', Code.FailedPrecondition],
  ['key.revoked', Code.FailedPrecondition],
  ['key.usage', Code.FailedPrecondition],
  ['key.', Code.InvalidArgument],
  ['limits.deadline', Code.DeadlineExceeded],
  ['limits.cancelled', Code.Canceled],
  ['limits.frame-too-large', Code.ResourceExhausted],
  ['limits.', Code.Unavailable],
  ['agent.', Code.Unavailable],
  ['lease.', Code.Unavailable],
  ['token.', Code.Unavailable],
  ['keyring.', Code.Unavailable],
  ['audit.', Code.Unavailable],
  ['state.', Code.Unavailable],
  ['notary.', Code.Unavailable],
];

/** The status for anything thrown. */
export function statusOf(thrown: unknown): ConnectError {
  if (thrown instanceof ConnectError) return thrown;
  const error: AgentError = asAgentError(thrown);
  const code = STATUSES.find(([area]) => error.code.startsWith(area))?.[1] ?? Code.Internal;
  const text = `touchstone: ${error.message} (${error.hint})`;
  return new ConnectError(text.length <= MAX_TEXT ? text : `${text.slice(0, MAX_TEXT - 3)}...`, code);
}
