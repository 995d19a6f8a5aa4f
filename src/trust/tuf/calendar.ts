/** Dates of renewal as a calendar file (RFC 5545): one entry when a window opens, one when it expires. */
import { createHash } from 'node:crypto';
import type { ExpiryFacts } from './expiry-windows.js';

const MAX_LINE_BYTES = 75;

/** The file. The same facts give the same entries, so that an import replaces what it brought before. */
export function calendarText(repository: string, facts: readonly ExpiryFacts[], nowMs: number): string {
  const stamp = utc(new Date(nowMs).toISOString());
  const events = facts.flatMap(({ role, version, expires, opens }) => [
    ...event(
      repository,
      role,
      'renew',
      opens,
      `Renew ${role} of ${repository}`,
      `Version ${version} expires at ${expires}.`,
      stamp,
    ),
    ...event(
      repository,
      role,
      'expires',
      expires,
      `${role} of ${repository} expires`,
      `Version ${version}.`,
      stamp,
    ),
  ]);
  const lines = [
    'BEGIN:VCALENDAR',
    'VERSION:2.0',
    'PRODID:-//Touchstone//TUF expiry//EN',
    ...events,
    'END:VCALENDAR',
  ];
  return `${lines.flatMap(folded).join('\r\n')}\r\n`;
}

function event(
  repository: string,
  role: string,
  what: string,
  at: string,
  summary: string,
  description: string,
  stamp: string,
): readonly string[] {
  const uid = createHash('sha256').update(`${repository}\n${role}\n${what}`).digest('hex').slice(0, 32);
  return [
    'BEGIN:VEVENT',
    `UID:${uid}@touchstone`,
    `DTSTAMP:${stamp}`,
    `DTSTART:${utc(at)}`,
    `SUMMARY:${escaped(summary)}`,
    `DESCRIPTION:${escaped(description)}`,
    'END:VEVENT',
  ];
}

function utc(time: string): string {
  return new Date(time).toISOString().replaceAll(/[-:]|\.\d{3}/g, '');
}

function escaped(text: string): string {
  return text.replace(/[\\;,]/g, '\\$&').replaceAll('\n', '\\n');
}

/** No line has more than 75 bytes; a continuation begins with a space. */
function folded(line: string): readonly string[] {
  const parts: string[] = [];
  let current = '';
  for (const character of line) {
    if (Buffer.byteLength(current + character) > MAX_LINE_BYTES) {
      parts.push(current);
      current = ' ';
    }
    current += character;
  }
  return [...parts, current];
}
