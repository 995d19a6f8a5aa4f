/** The dispatch table of the token host: each method of the wire and the token method behind it. */
import { AgentError } from '../errors/agent-error.js';
import { DIGEST_BYTES, type Token } from '../token/token.js';
import type { HostRequest } from './host-codec.js';
import { HostParams, requireRawBytes, splitPins } from './host-params.js';
import type { CardMethod, HostCalls, HostMethod } from './messages.js';

const SCALAR_BYTES = 32;
/** Longest derivation context is 444 bytes (docs/spec/derivation.md); a point has 65. */
const MAX_PRF_INPUT_BYTES = 1024;

/** What goes back; `secret` is overwritten after it was sent. */
export interface HostOutcome<R = unknown> {
  readonly result: R;
  readonly raw?: Buffer;
}

type TokenMethod = Exclude<HostMethod, CardMethod>;

type Handler<M extends TokenMethod> = (
  token: Token,
  params: HostParams,
  raw: Buffer,
) => HostOutcome<HostCalls[M]['result']>;

const HANDLERS: { readonly [M in TokenMethod]: Handler<M> } = {
  open: (token, params) => ({ result: token.open(params.text('module'), params.text('uri')) }),
  probe: (token, params) => ({ result: token.probe(params.isTrue('fresh')) }),
  initialise: (token, params, raw) => {
    const { soPin, pin } = splitPins(raw);
    return { result: token.initialise(params.text('label'), soPin, pin) };
  },
  login: (token, _params, raw) => ({ result: token.login(raw) }),
  generateSigningKey: (token, params) => ({
    result: token.generateSigningKey(params.key(), params.algorithm()),
  }),
  generateDerivationKey: (token, params) => ({
    result: token.generateDerivationKey(params.key(), params.backend()),
  }),
  findSigningKey: (token, params) => ({ result: token.findSigningKey(params.key(), params.algorithm()) }),
  findPublicKey: (token, params) => ({ result: token.findPublicKey(params.base64('publicKey')) }),
  findDerivationKey: (token, params) => ({ result: token.findDerivationKey(params.key(), params.backend()) }),
  evaluatePrf: (token, params, raw) => ({
    result: {},
    raw: token.evaluatePrf(params.key(), params.backend(), requirePrfInput(raw)),
  }),
  signDigest: (token, params, raw) => ({
    result: {},
    raw: token.signDigest(params.key(), requireRawBytes(raw, DIGEST_BYTES, 'a digest')),
  }),
  importSigningKey: (token, params, raw) => ({
    result: token.importSigningKey(
      params.key(),
      requireRawBytes(raw, SCALAR_BYTES, 'a scalar'),
      params.base64('publicPoint'),
    ),
  }),
  signData: (token, params, raw) => ({
    result: {},
    raw: token.signData(params.key(), params.algorithm(), params.mechanism(), requireData(raw)),
  }),
};

/** Does what the request asks, or throws an AgentError. */
export function performHostCall(token: Token, request: HostRequest): HostOutcome {
  const { method } = request;
  if (isCardMethod(method)) throw new AgentError('token.unsupported', { message: 'this token is no card' });
  return HANDLERS[method](token, new HostParams(request.params), request.raw);
}

/** Whether only a card can do it. */
export function isCardMethod(method: HostMethod): method is CardMethod {
  return method.startsWith('card');
}

function requireData(raw: Buffer): Buffer {
  if (raw.length > 0) return raw;
  throw new AgentError('usage.invalid', { message: 'token host call: raw: there is nothing to sign' });
}

/** Bytes that a PRF may be evaluated for. @throws AgentError `usage.invalid` */
export function requirePrfInput(raw: Buffer): Buffer {
  if (raw.length > 0 && raw.length <= MAX_PRF_INPUT_BYTES) return raw;
  throw new AgentError('usage.invalid', {
    message: `token host call: raw: ${raw.length} bytes are no PRF input`,
  });
}
