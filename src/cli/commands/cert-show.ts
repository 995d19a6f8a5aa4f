/** `touchstone cert show`: a chain as PEM on standard output, leaf first; without a key the authority alone. */
import { CertificateFolder } from '../../client/certificate-folder.js';
import { AgentError } from '../../errors/agent-error.js';
import type { CommandResult, Invocation } from '../command.js';
import type { CliContext } from '../context.js';
import { placesOf } from '../places.js';

/** Exports the chain of a key, or the authority for trust stores. */
export async function certShow(context: CliContext, { args }: Invocation): Promise<CommandResult> {
  const [key] = args;
  const folder = new CertificateFolder((await placesOf(context)).configFile);
  const authority = folder.authority();
  const chain = key === undefined ? (authority === undefined ? undefined : [authority]) : folder.chain(key);
  if (chain === undefined) {
    throw new AgentError('config.missing', {
      message:
        key === undefined ? 'there is no certificate of an authority' : `there is no certificate of ${key}`,
      hint:
        key === undefined
          ? 'make one with "touchstone cert init"'
          : `make one with: touchstone cert issue '${key}'`,
    });
  }
  const certificates = chain.map((one) => ({
    subject: one.subject.split('\n').join(','),
    issuer: one.issuer.split('\n').join(','),
    serial: one.serialNumber,
    notBefore: new Date(one.validFrom).toISOString(),
    notAfter: new Date(one.validTo).toISOString(),
    sha256: one.fingerprint256.replaceAll(':', '').toLowerCase(),
  }));
  const pem = chain.map((one) => one.toString()).join('');
  return { json: { certificates, pem }, text: pem.trimEnd() };
}
