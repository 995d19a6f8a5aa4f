/** Having a certificate signed by the on-token authority key: build, sign through the agent, seal. */
import { randomBytes } from 'node:crypto';
import { ecdsaDerFromRaw } from '../encoding/der.js';
import { AgentError } from '../errors/agent-error.js';
import { buildTbs, sealTbs, TBS_KIND, type CertificateFields } from '../formats/x509-tbs.js';
import type { KeyInfo } from '../protocol/methods.js';
import type { CliContext } from './context.js';
import { signWithKey } from './signing.js';

const SERIAL_BYTES = 16;
const DAY_MS = 86_400_000;
/** Clocks of other machines may be behind. */
const BACKDATE_MS = 3_600_000;

/** The name that the authority key has unless --authority says otherwise. */
export const AUTHORITY_KEY = 'touchstone/ca#x509-ca';

export type CertificateOrder = Omit<CertificateFields, 'serial' | 'notBefore' | 'notAfter'> & {
  readonly authorityKey: string;
  readonly days: number;
};

/** DER of the certificate. @throws AgentError of the agent, `usage.invalid` */
export async function orderCertificate(context: CliContext, order: CertificateOrder): Promise<Buffer> {
  const now = Math.floor(Date.now() / 1000) * 1000;
  const serial = randomBytes(SERIAL_BYTES);
  // Positive, and never zero.
  serial[0] = ((serial[0] ?? 0) & 0x7f) | 0x40;
  const tbs = buildTbs({
    ...order,
    serial,
    notBefore: new Date(now - BACKDATE_MS),
    notAfter: new Date(now + order.days * DAY_MS),
  });
  const { signatures } = await signWithKey(context, order.authorityKey, [{ kind: TBS_KIND, payload: tbs }]);
  return sealTbs(tbs, ecdsaDerFromRaw(signatures[0]?.signature ?? Buffer.alloc(0)));
}

/** DER SubjectPublicKeyInfo of a key that can have a certificate. @throws AgentError `key.usage` */
export function certifiableSpki(key: KeyInfo): Buffer {
  if (key.algorithm === 'ecdsa-p256' && key.publicKey !== undefined)
    return Buffer.from(key.publicKey, 'base64');
  throw new AgentError('key.usage', {
    message: `${key.name}: certificates are for P-256 keys, this one is ${key.algorithm}`,
  });
}
