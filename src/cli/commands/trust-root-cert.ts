/** `touchstone trust root-cert REPOSITORY`: the certificate of its root key as PEM, for `notary init --rootcert`. */
import { decodeBase64 } from '../../encoding/base64.js';
import { tufKeyId } from '../../formats/notary1/key.js';
import { requireRootKeys } from '../../trust/init.js';
import { parseTrustReference } from '../../trust/repository-name.js';
import type { CommandResult, Invocation } from '../command.js';
import type { CliContext } from '../context.js';
import { withPublisher } from '../trust-publishing.js';

/** Prints the kept certificate, or makes one. */
export async function trustRootCert(
  context: CliContext,
  { options, args }: Invocation,
): Promise<CommandResult> {
  const { repository } = parseTrustReference(args[0] ?? '');
  return withPublisher(context, options, repository, {}, async (session) => {
    const { signer, certificates, certificateDays } = session;
    const keys = await signer.keysOf(repository);
    const [key] = requireRootKeys(repository, keys, options.list('root-key').slice(0, 1));
    if (key === undefined) return { json: {}, text: '' };
    const certified = await certificates.certified(repository, key, certificateDays, options.flag('renew'));
    const pem = decodeBase64(certified.public, 'reading the certificate', 'notary.document').toString('utf8');
    const json = {
      repository,
      key: key.name,
      id: tufKeyId(certified),
      canonicalId: key.canonicalId,
      certificate: pem,
    };
    return { json, text: pem.trimEnd() };
  });
}
