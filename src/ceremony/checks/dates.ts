/** Dates: all of them come from the request, and from a person; the clock of a machine without a network is only an opinion. */
import type { CeremonyFacts } from '../facts.js';
import { fail, pass, perDocument, type Check } from './check.js';

const DAY_MS = 86_400_000;
const PORTABLE_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;

/** Whole seconds and Z, which every client reads, and the date of the request. */
export const expiryFormat: Check = perDocument(
  'EXPIRY-FORMAT',
  'the date is written as every client reads it',
  ({ proposed }, { request }) => {
    if (!PORTABLE_TIME.test(proposed.expires))
      return `${proposed.expires.slice(0, 40)} is not read by every client`;
    return proposed.expires === request.value.expires ? undefined : 'it is not the date of the request';
  },
);

/** Long enough for the windows of the policy, and no longer than it allows. */
export const expiryWindow: Check = perDocument(
  'EXPIRY-WINDOW',
  'it is good for as long as the policy says',
  ({ order, proposed }, { request, policy }) => {
    const { validityDays, windows } = policy.value;
    const days = (Date.parse(proposed.expires) - Date.parse(request.value.created)) / DAY_MS;
    if (days > validityDays[order.role])
      return `it is good for ${Math.ceil(days)} days, the policy allows ${validityDays[order.role]}`;
    if (days <= windows.signingDays)
      return `it expires before there is time to sign the next one (${windows.signingDays} days)`;
    return windows.signingDays > windows.alarmDays
      ? undefined
      : 'the policy alarms before it lets anybody sign';
  },
);

/** The date that a person typed is not before anything that happened, and not after what is to be signed expires. */
export const clockSane: Check = (facts) => {
  const problem = clockProblem(facts);
  const today = facts.today ?? '';
  return [
    problem === undefined
      ? pass('CLOCK-SANE', today, 'the date fits the request')
      : fail('CLOCK-SANE', today, problem),
  ];
};

function clockProblem({ today, request, previous }: CeremonyFacts): string | undefined {
  if (today === undefined) return 'nobody has said what day it is';
  const { created, expires } = request.value;
  if (today < created.slice(0, 10)) return `the request was made later, on ${created.slice(0, 10)}`;
  if (`${today}T00:00:00Z` >= expires) return `what is to be signed expired on ${expires.slice(0, 10)}`;
  const last = previous?.at(-1)?.time.slice(0, 10);
  return last !== undefined && today < last
    ? `the ceremony before this one was later, on ${last}`
    : undefined;
}
