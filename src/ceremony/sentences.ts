/** Changes in words: what everybody in the room has to be able to follow. */
import { printable } from '../encoding/utf8.js';
import type { KeyCertificate } from '../formats/key-certificate/document.js';
import type { Change } from './diff.js';
import type { HolderBook } from './holder-book.js';

const SHOWN_PATHS = 8;
const SHOWN_CHARACTERS = 120;

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
  return role === 'root' ? `the root key of ${holders.nameOf(keyId)}` : `key ${keyId.slice(0, 8)} of ${role}`;
}

function delegationWords({
  name,
  keyIds,
  threshold,
  paths,
}: Extract<Change, { kind: 'delegated' | 'changed' }>): string {
  const keys = keyIds.map((one) => one.slice(0, 8)).join(', ');
  const more = paths.length > SHOWN_PATHS ? ` and ${paths.length - SHOWN_PATHS} more` : '';
  const listed = paths.slice(0, SHOWN_PATHS).map(shown).join(', ');
  return `${shown(name)} (${threshold} of ${keyIds.length}: ${keys}; paths ${listed}${more})`;
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
    return `the certificates of key ${keyId.slice(0, 8)} of ${name} are taken back for good`;
  return `key ${keyId.slice(0, 8)} is certified as ${name} for ${shown(kinds.join(', '))}, from ${dayOf(notBefore)} to ${dayOf(notAfter)}`;
}

function dayOf(time: string): string {
  return printable(time, 40).replace(/T00:00:00Z$/, '');
}

function shown(text: string): string {
  return printable(text, SHOWN_CHARACTERS);
}
