/** Lines of a transcript in words. */
import type { CeremonyEvent, EventOf } from './event.js';
import { pgpWords } from './words.js';

const SHOWN_DIGITS = 8;
const SHOWN_WORDS = 4;

/** One sentence for each event. */
export function wordsOf(event: CeremonyEvent): string {
  switch (event.event) {
    case 'opened':
      return openedWords(event);
    case 'check':
      return `${event.check}${event.subject === '' ? '' : ` (${event.subject})`}: ${resultWords(event)}, ${event.says}`;
    case 'driver':
      return `the driver of tokens is ${event.module} (${short(event.sha256)}), ${event.info}`;
    case 'shown':
      return `the hash of ${event.what} was shown: ${spoken(event.sha256)}`;
    case 'confirmed':
      return `what is to be signed was read and confirmed by typing "${event.typed}" (${short(event.what)})`;
    case 'token':
      return tokenWords(event);
    case 'pin':
      return `the PIN for ${event.serial} was ${event.result.replace('-', ' ')}${triesWords(event.triesLeft)}`;
    case 'touch':
      return `${event.serial} was touched after ${(event.waitedMs / 1000).toFixed(1)} seconds`;
    case 'enrolled':
      return `${event.holder} enrolled key ${short(event.keyId)} on ${event.serial}, ${event.attested ? 'attested by its maker' : 'not attested'}`;
    case 'signed':
      return signedWords(event);
    case 'error':
      return `it went wrong: ${event.message} (${event.code})`;
    case 'note':
      return event.text;
    case 'deviation':
      return `deviation: ${event.text}, because ${event.reason}`;
    case 'aborted':
      return `the ceremony was ended: ${event.reason}`;
    case 'closed':
      return closedWords(event);
    case 'sealed':
      return `${event.holder} sealed everything up to here with key ${short(event.keyId)}`;
  }
}

function openedWords(event: EventOf<'opened'>): string {
  const people = event.participants.map(({ name, part }) => `${name} (${part})`).join(', ');
  return (
    `ceremony ${event.ceremony} was opened on ${event.today} with ${event.tool}; ` +
    `present: ${people === '' ? 'nobody was named' : people}; request ${spoken(event.request)}; MANIFEST ${spoken(event.manifest)}`
  );
}

function resultWords({ result, by }: EventOf<'check'>): string {
  return result === 'WAIVED' ? `waived by ${by}` : result === 'PASS' ? 'good' : 'failed';
}

function tokenWords({ state, serial, model, holder, triesLeft, why }: EventOf<'token'>): string {
  const said = why === '' ? '' : `: ${why}`;
  return `the token ${serial} (${model}) of ${holder} was ${state}${triesWords(triesLeft)}${said}`;
}

function signedWords(event: EventOf<'signed'>): string {
  const how = {
    made: 'signed',
    added: 'has a signature that was brought in for',
    found: 'has a signature that was found for',
  };
  return (
    `${event.holder} ${how[event.how]} ${event.document} v${event.documentVersion} ` +
    `with key ${short(event.keyId)} on ${event.serial} (payload ${short(event.payloadSha256)})`
  );
}

function closedWords({ outputs, open, nextExpiry }: EventOf<'closed'>): string {
  const files = outputs.map(({ file, sha256 }) => `${file} (${short(sha256)})`).join(', ');
  const left = open.length === 0 ? '' : `; left open: ${open.join(', ')}`;
  const next = nextExpiry === null ? '' : `; it expires on ${nextExpiry.slice(0, 10)}`;
  return `closed with ${files === '' ? 'no files' : files}${left}${next}`;
}

function triesWords(tries: number | null): string {
  return tries === null ? '' : `, ${tries} ${tries === 1 ? 'try' : 'tries'} left`;
}

function spoken(hash: string): string {
  return `${short(hash)} (${pgpWords(hash).slice(0, SHOWN_WORDS).join(' ')} …)`;
}

function short(hash: string): string {
  return hash.slice(0, SHOWN_DIGITS);
}
