/** Every limit of the control protocol, in one place. The agent's own unless a comment names another owner. */
export const LIMITS = {
  /** One WebSocket message, bytes. */
  frameBytes: 256 * 1024,
  /**
   * Hard cap of the WebSocket layer, bytes: for calls that sign nothing but repository metadata (`notary.*`, `tuf.*`). For all others a
   * typed error is the answer between the two; above it close code 1009.
   */
  socketFrameBytes: 4 * 1024 * 1024,
  /** Requests that may wait for a reply on one connection. */
  inFlightPerConnection: 256,
  connectionsPerUid: 256,
  /** Signing requests in one `sign` call. */
  batch: 1024,
  /** Orders that may wait for one token. */
  queuePerToken: 256,
  /** Longest and default time for a request, milliseconds. */
  maxDeadlineMs: 120_000,
  defaultDeadlineMs: 30_000,
  /** How long an unlock may wait for its token to be inserted. */
  waitMs: 600_000,
  /** Output a client has not read before the agent stops reading from it, bytes. */
  unreadOutputBytes: 1024 * 1024,
  /** Time for the first message after connecting, and between ping and pong, milliseconds. */
  helloMs: 10_000,
  pingMs: 30_000,
  /** Records in one `audit` reply. */
  auditRecords: 1000,
  /** Keys in one `keys.list` reply. */
  listedKeys: 1000,
} as const;

export const PROTOCOL_VERSION = 1;

/** WebSocket subprotocol name. */
export const SUBPROTOCOL = 'touchstone.v1';

const METADATA = /^(?:notary|tuf)\./;

/** Bytes that the message of one call may have. @param params as the client sent them */
export function frameLimit(method: string, params: unknown): number {
  const requests: unknown =
    method === 'sign' && typeof params === 'object' && params !== null && 'requests' in params
      ? params.requests
      : undefined;
  const isMetadata = Array.isArray(requests) && requests.length > 0 && requests.every(isForMetadata);
  return isMetadata ? LIMITS.socketFrameBytes : LIMITS.frameBytes;
}

function isForMetadata(request: unknown): boolean {
  if (typeof request !== 'object' || request === null || !('kind' in request)) return false;
  return typeof request.kind === 'string' && METADATA.test(request.kind);
}
