/** `touchstone cert init`: the certificate of the authority, signed by its own on-token key. */
import { CertificateFolder } from '../../client/certificate-folder.js';
import { AgentError } from '../../errors/agent-error.js';
import { formatName, parseName } from '../../formats/x509-name.js';
import { withAgent } from '../agent-session.js';
import { AUTHORITY_KEY, certifiableSpki, orderCertificate } from '../certificate-order.js';
import type { CommandResult, Invocation } from '../command.js';
import type { CliContext } from '../context.js';
import { placesOf } from '../places.js';

const DEFAULT_DAYS = 3650;

/** Makes the authority's certificate; --renew replaces one. */
export async function certInit(context: CliContext, { options }: Invocation): Promise<CommandResult> {
  const name = { CN: 'Touchstone image authority', ...parseName(options.requiredText('subject')) };
  if (name.C === undefined || name.ST === undefined || name.O === undefined) {
    throw new AgentError('usage.invalid', {
      message: 'option --subject: C, ST and O are needed: Notation trust policies name them',
      hint: 'for example --subject "C=DE,ST=Berlin,O=Acme"',
    });
  }
  const authorityKey = options.text('authority') ?? AUTHORITY_KEY;
  const days = options.integer('days', { min: 1, max: 10_950 }) ?? DEFAULT_DAYS;
  const folder = new CertificateFolder((await placesOf(context)).configFile);
  if (folder.authority() !== undefined && !options.flag('renew')) {
    throw new AgentError('config.exists', {
      message: 'there is a certificate of the authority already',
      hint: 'see "touchstone cert show"; --renew makes a new one for the same key',
    });
  }
  const { key } = await withAgent(context, (client) => client.call('keys.show', { key: authorityKey }));
  const spki = certifiableSpki(key);
  const order = { profile: 'authority', issuer: name, subject: name, spki, issuerSpki: spki } as const;
  const file = folder.writeAuthority(await orderCertificate(context, { ...order, authorityKey, days }));
  context.note(`touchstone: certificate of ${formatName(name)}, valid for ${days} days: ${file}`);
  return { json: { file, subject: formatName(name), key: key.name, days }, text: '' };
}
