/** The one refusal of this folder: bytes that are not what somebody says they are. */
import { AgentError } from '../errors/agent-error.js';

/** `statement.unrecognised`; `problem` must not quote the bytes. */
export function unrecognised(kind: string, problem: string): AgentError {
  return new AgentError('statement.unrecognised', { message: `reading the bytes as ${kind}: ${problem}` });
}
