/**
 * The token host: one driver in a process of its own, which does what the keeper says over fd 3, one call after the other.
 * It knows no socket, no configuration and no client. Its deadlines are the keeper's, by SIGKILL, because a driver that
 * blocks blocks this whole process.
 */
import { asAgentError } from '../errors/agent-error.js';
import { Pipe } from '../platform/pipe.js';
import { Pkcs11Token } from '../token/pkcs11/pkcs11-token.js';
import type { Token } from '../token/token.js';
import { performHostCall } from './host-calls.js';
import {
  encodeHostFailure,
  encodeHostResult,
  HostFrameDecoder,
  parseHostRequest,
  type HostRequest,
} from './host-codec.js';

/** Answers gathered before a write: few, so that the keeper verifies some while the driver makes the next. */
const FLUSH_AFTER_FRAMES = 4;

/** Serves one token over the pipe `fd` until the other end closes it; then calls `onEnd`, once. */
export function runTokenHost(fd: number, onEnd: () => void): void {
  const token = new Pkcs11Token();
  const decoder = new HostFrameDecoder();
  const pipe = new Pipe(fd, {
    flushAfterFrames: FLUSH_AFTER_FRAMES,
    onData: (chunk) => {
      decoder.push(chunk, (frame) => {
        answer(token, pipe, parseHostRequest(frame));
      });
    },
    onClose: () => {
      decoder.wipe();
      onEnd();
    },
  });
}

function answer(token: Token, pipe: Pipe, request: HostRequest): void {
  try {
    const { result, raw } = performHostCall(token, request);
    const frame = encodeHostResult(request.id, result, raw);
    if (raw === undefined || request.method === 'signDigest') {
      pipe.send(frame);
    } else {
      raw.fill(0);
      pipe.sendSecret(frame);
    }
  } catch (thrown) {
    const error = asAgentError(thrown);
    pipe.send(encodeHostFailure(request.id, error.toData()));
    // After something impossible the driver's state is not known: this process ends, the keeper starts another.
    if (error.code === 'internal.unexpected') pipe.close();
  }
}
