/** The dates of the next ceremony as a calendar file (RFC 5545): when signing can begin, and when not having signed is an alarm. */
import type { CeremonyFacts } from './facts.js';

const DAY_MS = 86_400_000;

/** Two whole-day events. */
export function calendarOf({ request, policy }: CeremonyFacts): string {
  const { id, expires, created } = request.value;
  const { signingDays, alarmDays } = policy.value.windows;
  const events = [
    [`signing-${id}`, signingDays, 'sign the next root'],
    [`alarm-${id}`, alarmDays, `the root expires in ${alarmDays} days and has no successor`],
  ] as const;
  const lines = events.flatMap(([uid, days, words]) => [
    'BEGIN:VEVENT',
    `UID:${uid}@touchstone`,
    `DTSTAMP:${created.replaceAll(/[-:]/g, '')}`,
    `DTSTART;VALUE=DATE:${dayBefore(expires, days)}`,
    `SUMMARY:${policy.value.name.replaceAll(/[\\;,]/g, '\\$&')}: ${words}`.slice(0, 74),
    'END:VEVENT',
  ]);
  return [
    'BEGIN:VCALENDAR',
    'VERSION:2.0',
    'PRODID:-//Touchstone//ceremony//EN',
    ...lines,
    'END:VCALENDAR',
    '',
  ].join('\r\n');
}

function dayBefore(time: string, days: number): string {
  return new Date(Date.parse(time) - days * DAY_MS).toISOString().slice(0, 10).replaceAll('-', '');
}
