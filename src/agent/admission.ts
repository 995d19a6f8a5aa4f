/** Request → Statement → Decision: everything that is asked of one request before anything happens because of it. */
import type { RsaScheme } from '../crypto/algorithms.js';
import { decodeBase64 } from '../encoding/base64.js';
import { printable } from '../encoding/utf8.js';
import { AgentError } from '../errors/agent-error.js';
import { isCeremonyKind } from '../formats/ceremony-statement.js';
import { describe } from '../formats/describe.js';
import { coversRepository } from '../formats/notary1/root-certificate.js';
import type { Statement } from '../formats/statement.js';
import { TUF_ROOT_KIND } from '../formats/tuf/statement.js';
import { ROOT_ROLE } from '../keys/roles.js';
import type { SignRequest } from '../protocol/methods.js';
import type { CertificateBook } from './certificate-book.js';
import type { KeyBook, SigningKey } from './key-book.js';
import type { Peer } from './peer.js';
import type { PolicyFile } from './policy-file.js';
import type { UsageBook } from './usage-book.js';

export interface AdmissionParts {
  readonly keys: KeyBook;
  readonly certificates: CertificateBook;
  readonly policy: PolicyFile;
  readonly usage: UsageBook;
}

/** What a door asks for: as the control socket has it, or with the bytes themselves, which nobody overwrites. */
export type SignAsked = Omit<SignRequest, 'payload'> & { readonly payload: string | Buffer };

/** One request that passed every check. */
export interface Admitted {
  readonly key: SigningKey;
  readonly kind: string;
  readonly message: Buffer;
  readonly scheme: RsaScheme | undefined;
  readonly statement: Statement;
  readonly rule: string;
  /** Hex hash of the certificate of the key, where one is required. */
  readonly certificate: string | undefined;
  /** Hex SHA-256 of another content of the same version that the server did not store. */
  readonly notStored: string | undefined;
}

/** @throws AgentError why the request is refused */
export function admit(parts: AdmissionParts, peer: Peer, request: SignAsked, nowMs: number): Admitted {
  const key = parts.keys.signingKey(request.key);
  const { kind, payload, scheme, notStored } = request;
  const message = typeof payload === 'string' ? decodeBase64(payload, 'payload') : payload;
  const statement = describe(kind, message);
  parts.keys.requireKind(key, kind);
  requireRepository(key, statement);
  if (statement.signer !== undefined && statement.signer !== key.record.keyId) {
    throw new AgentError('key.usage', { message: 'the certificate signs itself, but it is of another key' });
  }
  const certificate = parts.certificates.require(key.record, kind);
  const rule = requireRule(parts, peer, { key, statement, nowMs }, key.policyName);
  const wider = widerName(statement);
  if (wider !== undefined) requireRule(parts, peer, { key, statement, nowMs }, wider);
  return { key, kind, message, scheme, statement, rule, certificate, notStored };
}

/** A repository inside the bytes is the key's. One root key serves many repositories, so what it signs has to name one. */
function requireRepository({ record, name }: SigningKey, { repository, kind }: Statement): void {
  const isRoot = record.role === ROOT_ROLE;
  // A root of TUF names none, so only a root key that was made for this one repository signs it; nor does what is said about a ceremony.
  const isOwn = record.usage === 'sign' && (kind === TUF_ROOT_KIND || isCeremonyKind(kind));
  if (repository === undefined ? !isRoot || isOwn : repository === record.repository) return;
  if (isRoot && repository !== undefined && coversRepository(repository, record.repository)) return;
  const named = repository === undefined ? 'no repository' : printable(repository, 80);
  throw new AgentError('statement.repository', {
    message: `the statement names ${named}, the key is of ${record.repository}`,
    details: { key: name, kind },
  });
}

/** A root for `PREFIX*` is believed in every repository that begins so: a rule has to allow all of them. */
function widerName({ repository }: Statement): string | undefined {
  return repository?.endsWith('*') === true ? `${repository}#${ROOT_ROLE}` : undefined;
}

/** @throws AgentError `policy.…` */
function requireRule(
  { policy, usage }: AdmissionParts,
  { uid, gid, socket }: Peer,
  asked: { readonly key: SigningKey; readonly statement: Statement; readonly nowMs: number },
  name: string,
): string {
  const { key, nowMs } = asked;
  const { kind, blind } = asked.statement;
  const decision = policy.cache.decide({ uid, gid, socket, key: name, kind, blind, nowMs }, usage.state);
  if (decision.outcome === 'allow') return decision.rule;
  const scope = name === key.policyName ? '' : ` as ${name}`;
  throw new AgentError(decision.code, {
    message: `${key.name} may not sign ${kind}${scope} for uid ${uid}: ${decision.reason}`,
    hint: `see why: touchstone policy explain --key '${name}' --kind '${kind}'`,
    details: { key: key.name, kind, rule: decision.rule },
  });
}
