/** A key certificate as a statement that root keys sign. */
import { printable } from '../../encoding/utf8.js';
import { AgentError } from '../../errors/agent-error.js';
import type { Statement } from '../statement.js';
import { unrecognised } from '../unrecognised.js';
import { parseKeyCertificate, type KeyCertificate } from './document.js';

/**
 * Reads the body of a DSSE statement into facts.
 * @throws AgentError `statement.unrecognised`
 */
export function describeKeyCertificate(kind: string, body: Buffer): Statement {
  const certificate = read(kind, body);
  const { action, repository, role, epoch, keyId, notBefore, notAfter, kinds } = certificate;
  const name = printable(`${repository}#${role}@${epoch}`, 80);
  const first =
    action === 'certify'
      ? `certifies the key of ${name}`
      : `takes back the certificates of the key of ${name}`;
  const second =
    action === 'certify' ? `${keyId.slice(0, 16)}, ${notBefore} to ${notAfter}` : keyId.slice(0, 16);
  return {
    kind,
    repository,
    summary: [printable(first, 120), second],
    facts: { action, role: printable(role, 64), epoch, keyId, notBefore, notAfter, kinds: kinds.slice(0, 8) },
    blind: false,
  };
}

function read(kind: string, body: Buffer): KeyCertificate {
  try {
    return parseKeyCertificate(body);
  } catch (thrown) {
    if (!(thrown instanceof AgentError)) throw thrown;
    throw unrecognised(kind, thrown.message);
  }
}
