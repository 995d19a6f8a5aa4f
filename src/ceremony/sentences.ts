/** Changes in words: what everybody in the room has to be able to follow. */
import { printable } from '../encoding/utf8.js';
import type { KeyCertificate } from '../formats/key-certificate/document.js';
import type { Change } from './diff.js';
import type { HolderBook } from './holder-book.js';

/** The longest name, pattern or kind that a request can hold: nothing that is signed is cut off. */
const SHOWN_CHARACTERS = 512;
/** Of keys that no holder has. Eight digits are found again by trying keys, in minutes. */
const SHOWN_DIGITS = 16;

/** One sentence for each change. */
export function sentenceOf(change: Change, holders: HolderBook): string {
  switch (change.kind) {
    case 'version':
      return `version ${change.from} becomes ${change.to}`;
    case 'expires':
      return `it expires on ${dayOf(change.to)} instead of ${dayOf(change.from)}`;
    case 'enters':
      return `${keyWords(change.role, change.keyId, holders)} enters`;
    case 'leaves':
      return `${keyWords(change.role, change.keyId, holders)} leaves`;
    case 'threshold':
      return change.from === 0
        ? `${change.role} takes ${change.to} of ${change.of} keys`
        : `${change.role} takes ${change.to} of ${change.of} keys instead of ${change.from}`;
    case 'delegated':
      return `${delegationWords(change)} is certified`;
    case 'changed':
      return `${delegationWords(change)} replaces what was certified before`;
    case 'undelegated':
      return `${shown(change.name)} is certified no more`;
    case 'certified':
      return certificateWords(change.certificate);
    case 'field':
      return `${shown(change.field)} changes, which no action of a ceremony does`;
  }
}

/** What stays, said too: a reader looks for it. */
export function unchangedSentences(changes: readonly Change[]): readonly string[] {
  const touched = new Set(changes.flatMap((one) => ('role' in one ? [one.role] : [])));
  const same = (['root', 'targets', 'snapshot', 'timestamp'] as const).filter((role) => !touched.has(role));
  return same.length === 0 ? [] : [`keys and threshold of ${same.join(', ')} stay as they are`];
}

function keyWords(role: string, keyId: string, holders: HolderBook): string {
  return role === 'root' ? `the root key of ${holders.nameOf(keyId)}` : `key ${short(keyId)} of ${role}`;
}

function delegationWords({
  name,
  keyIds,
  threshold,
  paths,
}: Extract<Change, { kind: 'delegated' | 'changed' }>): string {
  const keys = keyIds.map(short).join(', ');
  return `${shown(name)} (${threshold} of ${keyIds.length}: ${keys}; paths ${paths.map(shown).join(', ')})`;
}

function certificateWords({
  action,
  repository,
  role,
  epoch,
  keyId,
  kinds,
  notBefore,
  notAfter,
}: KeyCertificate): string {
  const name = shown(`${repository}#${role}@${epoch}`);
  if (action === 'revoke')
    return `the certificates of key ${short(keyId)} of ${name} are taken back for good`;
  const listed = kinds.map(shown).join(', ');
  return `key ${short(keyId)} is certified as ${name} for ${listed}, from ${dayOf(notBefore)} to ${dayOf(notAfter)}`;
}

function dayOf(time: string): string {
  return printable(time, 40).replace(/T00:00:00Z$/, '');
}

function short(keyId: string): string {
  return keyId.slice(0, SHOWN_DIGITS);
}

function shown(text: string): string {
  return printable(text, SHOWN_CHARACTERS);
}
