/** What the host does with an OTP slot: it finds it, takes the passphrase and derives. Everything else it cannot do. */
import { decodeBase64 } from '../encoding/base64.js';
import { AgentError } from '../errors/agent-error.js';
import type { OtpLogin, OtpToken } from '../token/yubikey-otp/otp-token.js';
import { requirePrfInput, type HostOutcome } from './host-calls.js';
import type { HostRequest } from './host-codec.js';
import { HostParams } from './host-params.js';

/** Whether a request opens an OTP slot: the host then is one for OTP slots. */
export function opensOtpSlot({ method, params }: HostRequest): boolean {
  return method === 'open' && typeof params === 'object' && params !== null && 'slot' in params;
}

/** Does what the request asks. @throws AgentError `token.unsupported` for what only a PKCS#11 token does */
export async function performOtpCall(token: OtpToken, request: HostRequest): Promise<HostOutcome> {
  const params = new HostParams(request.params);
  switch (request.method) {
    case 'open':
      return { result: await token.open(params.text('serial'), params.slot()) };
    case 'probe':
      return { result: await token.probe() };
    case 'login': {
      const check = await token.login(request.raw, loginOf(params));
      return { result: { ...(await token.probe()), check } };
    }
    case 'evaluatePrf':
      return { result: {}, raw: await token.evaluatePrf(requirePrfInput(request.raw)) };
    case 'initialise':
    case 'generateSigningKey':
    case 'generateDerivationKey':
    case 'findSigningKey':
    case 'findDerivationKey':
    case 'findPublicKey':
    case 'signDigest':
    case 'signData':
    case 'importSigningKey':
    case 'cardState':
    case 'cardSlot':
    case 'cardBegin':
    case 'cardPuk':
    case 'cardManagement':
    case 'cardGenerate':
    case 'cardSign':
    case 'cardCertificate':
    case 'cardEnd':
      throw new AgentError('token.unsupported', { message: 'an OTP slot derives, and can do nothing else' });
  }
}

function loginOf(params: HostParams): OtpLogin {
  return {
    domain: params.text('domain'),
    context: decodeBase64(params.text('context'), 'context'),
    check: params.optionalText('check'),
    enrol: params.enrol(),
  };
}
