/** Errors in the words of the Notary Project's plugin contract. */
import { asAgentError, type AgentError } from '../../errors/agent-error.js';

type PluginErrorCode =
  'VALIDATION_ERROR' | 'UNSUPPORTED_CONTRACT_VERSION' | 'ACCESS_DENIED' | 'TIMEOUT' | 'THROTTLED' | 'ERROR';

/** What only the contract has a word for. */
export class PluginError extends Error {
  readonly code: PluginErrorCode;

  constructor(code: PluginErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** Areas of our codes; the first that fits. */
const AREAS: readonly (readonly [string, PluginErrorCode])[] = [
  ['limits.deadline', 'TIMEOUT'],
  ['token.timeout', 'TIMEOUT'],
  ['limits.', 'THROTTLED'],
  ['policy.', 'ACCESS_DENIED'],
  ['peer.', 'ACCESS_DENIED'],
  ['lease.', 'ACCESS_DENIED'],
  ['key.locked', 'ACCESS_DENIED'],
  ['token.', 'ACCESS_DENIED'],
  ['statement.', 'VALIDATION_ERROR'],
  ['usage.', 'VALIDATION_ERROR'],
  ['rpc.parse', 'VALIDATION_ERROR'],
  ['key.', 'VALIDATION_ERROR'],
  ['config.', 'VALIDATION_ERROR'],
];

/** The one document that may stand on standard error. */
export function errorDocument(thrown: unknown): object {
  if (thrown instanceof PluginError) return { errorCode: thrown.code, errorMessage: thrown.message };
  const error: AgentError = asAgentError(thrown);
  const errorCode = AREAS.find(([prefix]) => error.code.startsWith(prefix))?.[1] ?? 'ERROR';
  return {
    errorCode,
    errorMessage: `touchstone: ${error.message} (${error.hint})`,
    errorMetadata: { code: error.code },
  };
}
