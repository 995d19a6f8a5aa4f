/** The checks that one file of metadata passes before anything in it is believed. */
import { createHash } from 'node:crypto';
import { AgentError } from '../errors/agent-error.js';
import type { FileMeta, NotaryDocument, RoleKeys } from '../formats/notary1/document.js';
import type { NotaryKey } from '../formats/notary1/key.js';
import type { SignedDocument } from '../formats/notary1/reader.js';
import { signersOf } from '../formats/notary1/signature.js';
import type { SeenFile } from './memory.js';

/** Length and every hash that the listing gives. @throws AgentError `notary.checksum` */
export function checkFile(role: string, file: Buffer, { length, hashes }: FileMeta): void {
  const isSame =
    file.length === length &&
    hashOf(file, 'sha256') === hashes.sha256 &&
    (hashes.sha512 === undefined || hashOf(file, 'sha512') === hashes.sha512);
  if (!isSame) throw wrongFile(role);
}

/** The error for a file that is not the listed one. */
export function wrongFile(role: string): AgentError {
  return new AgentError('notary.checksum', {
    message: `reading ${role}: the file is not the one that the metadata above it names`,
    details: { role },
  });
}

/** Enough different keys of the role have signed. @throws AgentError `notary.threshold` */
export function checkSignatures(
  role: string,
  { signedBytes, signatures }: SignedDocument,
  { keyids, threshold }: RoleKeys,
  keys: ReadonlyMap<string, NotaryKey>,
): void {
  const count = signersOf(signedBytes, signatures, keyids, keys).length;
  if (count >= threshold) return;
  throw new AgentError('notary.threshold', {
    message: `verifying ${role}: ${count} of the ${threshold} signatures that it takes are there`,
    details: { role, signatures: count, threshold },
  });
}

/** Whether the document is past its date. */
export function isExpired({ expires }: NotaryDocument, nowMs: number): boolean {
  return Date.parse(expires) <= nowMs;
}

/** The error for that. */
export function expiredError(role: string, { expires }: NotaryDocument): AgentError {
  return new AgentError('notary.expired', {
    message: `reading ${role}: it has expired on ${expires}`,
    details: { role, expires },
  });
}

/** What to remember of a file. */
export function seenFile({ document, signedBytes }: SignedDocument, { keyids }: RoleKeys): SeenFile {
  return {
    version: document.version,
    sha256: hashOf(signedBytes, 'sha256'),
    keyIds: [...keyids].sort(),
  };
}

/**
 * Neither an older version than the one seen before, nor another content of that version. A role whose keys were replaced since begins anew:
 * whoever replaced them signed that.
 * @throws AgentError `notary.rollback`
 */
export function checkVersion(role: string, now: SeenFile, before: SeenFile | undefined): void {
  if (before === undefined || before.keyIds.join() !== now.keyIds.join()) return;
  if (now.version < before.version) {
    throw new AgentError('notary.rollback', {
      message: `reading ${role}: version ${now.version} is offered, version ${before.version} was seen before`,
      details: { role, version: now.version, seen: before.version },
    });
  }
  if (now.version === before.version && now.sha256 !== before.sha256) {
    throw new AgentError('notary.rollback', {
      message: `reading ${role}: version ${now.version} is not the one that was seen before`,
      details: { role, version: now.version, seen: before.version },
    });
  }
}

function hashOf(bytes: Buffer, name: 'sha256' | 'sha512'): string {
  return createHash(name).update(bytes).digest('hex');
}
