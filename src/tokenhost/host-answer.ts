/** Answers of the host on their way to the keeper: secrets in them are overwritten once they are sent. */
import { asAgentError } from '../errors/agent-error.js';
import type { Pipe } from '../platform/pipe.js';
import type { HostOutcome } from './host-calls.js';
import { encodeHostFailure, encodeHostResult, type HostRequest } from './host-codec.js';

type Asked = Pick<HostRequest, 'id' | 'method'>;

export function sendOutcome(pipe: Pipe, { id, method }: Asked, { result, raw }: HostOutcome): void {
  const frame = encodeHostResult(id, result, raw);
  if (raw === undefined || method === 'signDigest') {
    pipe.send(frame);
    return;
  }
  raw.fill(0);
  pipe.sendSecret(frame);
}

export function sendFailure(pipe: Pipe, { id }: Asked, thrown: unknown): void {
  const error = asAgentError(thrown);
  pipe.send(encodeHostFailure(id, error.toData()));
  // After something impossible the driver's state is not known: this process ends, the keeper starts another.
  if (error.code === 'internal.unexpected') pipe.close();
}
