/** `touchstone cert issue`: a certificate for a repository key, and its chain kept for everything that signs with it. Again is renewal. */
import type { X509Certificate } from 'node:crypto';
import { CertificateFolder } from '../../client/certificate-folder.js';
import { AgentError } from '../../errors/agent-error.js';
import { formatName, parseName, type DistinguishedName } from '../../formats/x509-name.js';
import { parseKeyName } from '../../keys/key-name.js';
import { withAgent } from '../agent-session.js';
import { AUTHORITY_KEY, certifiableSpki, orderCertificate } from '../certificate-order.js';
import type { CommandResult, Invocation } from '../command.js';
import type { CliContext } from '../context.js';
import { placesOf } from '../places.js';

const DEFAULT_DAYS = 365;

/** Issues one certificate. */
export async function certIssue(context: CliContext, { args, options }: Invocation): Promise<CommandResult> {
  const name = args[0] ?? '';
  const { repository, role } = parseKeyName(name);
  if (role !== 'notation') {
    throw new AgentError('usage.invalid', {
      message: `${name}: certificates are for keys with the role notation`,
    });
  }
  const folder = new CertificateFolder((await placesOf(context)).configFile);
  const authority = folder.authority();
  if (authority === undefined) {
    throw new AgentError('config.missing', {
      message: 'there is no certificate of an authority yet',
      hint: 'make one with "touchstone cert init"',
    });
  }
  const { key } = await withAgent(context, (client) => client.call('keys.show', { key: name }));
  const days = options.integer('days', { min: 1, max: 3650 }) ?? DEFAULT_DAYS;
  const issuer = nameOf(authority);
  const subject = { ...issuer, CN: repository };
  const leaf = await orderCertificate(context, {
    profile: 'leaf',
    issuer,
    subject,
    spki: certifiableSpki(key),
    issuerSpki: authority.publicKey.export({ format: 'der', type: 'spki' }),
    authorityKey: options.text('authority') ?? AUTHORITY_KEY,
    days,
  });
  const file = folder.writeChain(name, [leaf, authority.raw]);
  context.note(`touchstone: certificate of ${formatName(subject)}, valid for ${days} days: ${file}`);
  return { json: { file, subject: formatName(subject), key: key.name, keyId: key.keyId, days }, text: '' };
}

/** Node prints one attribute a line. */
function nameOf(certificate: X509Certificate): DistinguishedName {
  return parseName(certificate.subject.split('\n').join(','));
}
