/** What the host does with a card that is being set up. */
import { AgentError } from '../errors/agent-error.js';
import { DIGEST_BYTES } from '../token/token.js';
import type { SlotContent } from '../token/yubikey-piv/card-state.js';
import type { PivSlot } from '../token/yubikey-piv/piv-slots.js';
import type { PivToken } from '../token/yubikey-piv/piv-token.js';
import type { HostOutcome } from './host-calls.js';
import type { HostRequest } from './host-codec.js';
import { HostParams, requireRawBytes } from './host-params.js';
import type { CardMethod, HostCalls, HostCardSlot } from './messages.js';

/** No certificate of a card is longer. */
const MAX_CERTIFICATE_BYTES = 3000;

type Handler<M extends CardMethod> = (
  token: PivToken,
  params: HostParams,
  raw: Buffer,
) => HostOutcome<HostCalls[M]['result']>;

const HANDLERS: { readonly [M in CardMethod]: Handler<M> } = {
  cardState: (token) => {
    const { device, ...state } = token.state();
    return { result: { ...state, device: device?.toString('base64') } };
  },
  cardSlot: (token, params) => {
    const slot = token.slot(params.key());
    return { result: describeSlot(slot, token.content(slot)) };
  },
  cardBegin: (token, params, raw) => {
    token.begin(raw, params.isTrue('isNew'));
    return { result: {} };
  },
  cardPuk: (token, _params, raw) => {
    token.admin.changePuk(raw);
    return { result: {} };
  },
  cardManagement: (token) => {
    token.admin.openManagement();
    return { result: {} };
  },
  cardGenerate: (token, params) => {
    const slot = token.slot(params.key());
    const policies = params.policies();
    const made = token.admin.generate(slot, policies);
    return { result: describeSlot(slot, { content: 'key', ...made, policies, isImported: false }) };
  },
  cardSign: (token, params, raw) => ({
    result: {},
    raw: token.admin.sign(token.slot(params.key()), requireRawBytes(raw, DIGEST_BYTES, 'a digest')),
  }),
  cardCertificate: (token, params, raw) => {
    if (raw.length === 0 || raw.length > MAX_CERTIFICATE_BYTES)
      throw new AgentError('usage.invalid', {
        message: `token host call: raw: ${raw.length} bytes are no certificate`,
      });
    token.admin.putCertificate(token.slot(params.key()), raw);
    return { result: {} };
  },
  cardEnd: (token) => {
    token.end();
    return { result: {} };
  },
};

/** Does what the request asks, or throws an AgentError. */
export function performCardCall(token: PivToken, method: CardMethod, request: HostRequest): HostOutcome {
  return HANDLERS[method](token, new HostParams(request.params), request.raw);
}

function describeSlot({ key }: PivSlot, found: SlotContent): HostCardSlot {
  if (found.content === 'empty') return { ...key, content: 'empty' };
  const publicKey = found.spki?.toString('base64');
  if (found.content === 'certificate') return { ...key, content: 'certificate', publicKey };
  const { policies, isImported, attestation } = found;
  return {
    ...key,
    content: 'key',
    publicKey,
    policies,
    isImported,
    touch: policies === undefined ? undefined : policies.touch !== 'never',
    attestation: attestation?.toString('base64'),
  };
}
