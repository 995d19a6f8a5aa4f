/** When metadata expires. Clients disagree on the exact second, so nobody should aim at it. */
import { AgentError } from '../../errors/agent-error.js';

// Real repositories have fractions and offsets, which a writer of ours never gives.
const RFC_3339 = /^(\d{4})-(\d\d)-(\d\d)T\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/;

/** `YYYY-MM-DDTHH:MM:SSZ`, the one form that all clients read. @throws AgentError `tuf.document` for a time outside the years 1 to 9999 */
export function tufTime(time: Date): string {
  const text = Number.isNaN(time.getTime()) ? '' : time.toISOString();
  if (/^\d{4}-/.test(text)) return text.replace(/\.\d{3}Z$/, 'Z');
  throw new AgentError('tuf.document', {
    message: 'writing a time: it is outside the years that RFC 3339 has',
  });
}

/** Milliseconds since 1970, or undefined for what is no time of RFC 3339. */
export function tufTimeMs(text: string): number | undefined {
  const [, year, month, day] = RFC_3339.exec(text) ?? [];
  const time = Date.parse(text);
  if (year === undefined || month === undefined || day === undefined || Number.isNaN(time)) return undefined;
  // The platform takes 31 February for 3 March.
  const days = new Date(Date.UTC(Number(year), Number(month), 0)).getUTCDate();
  return Number(day) <= days ? time : undefined;
}

/** True from the second on that `expires` names, and for what is no time. */
export function isExpired({ expires }: { readonly expires: string }, now: Date): boolean {
  const time = tufTimeMs(expires);
  return time === undefined || now.getTime() >= time;
}
