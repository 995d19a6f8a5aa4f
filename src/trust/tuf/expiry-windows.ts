/** When a role is to be renewed, when somebody has to be woken, and when it is too late. Pure. */
import { AgentError } from '../../errors/agent-error.js';
import { tufTimeMs } from '../../formats/tuf/expiry.js';
import { isTopRole } from './roles.js';
import type { TopRole } from '../../formats/tuf/document.js';
import type { TufDays } from './settings.js';

const DAY_MS = 86_400_000;

/** Days before expiry. */
export interface ExpiryWindow {
  /** From then on it is to be renewed. */
  readonly opens: number;
  /** From then on somebody should look why it was not. */
  readonly alarm: number;
}

export type ExpiryWindows = Readonly<Record<TopRole, ExpiryWindow>>;

export type ExpiryState = 'fine' | 'renew' | 'alarm' | 'expired';

export interface ExpiryFacts {
  readonly role: string;
  readonly version: number;
  readonly expires: string;
  /** RFC 3339. */
  readonly opens: string;
  readonly alarm: string;
  /** Whole days left, rounded down; below 0 when it is past. */
  readonly days: number;
  readonly state: ExpiryState;
}

/** A ceremony takes weeks to arrange, a machine signs in a second. */
const WANTED: ExpiryWindows = {
  root: { opens: 60, alarm: 21 },
  targets: { opens: 30, alarm: 10 },
  snapshot: { opens: 10, alarm: 4 },
  timestamp: { opens: 3, alarm: 1 },
};

/** Windows that fit into what signatures are good for: never more than half of it, the alarm never more than half of the window. */
export function defaultWindows(days: TufDays): ExpiryWindows {
  const fit = (role: TopRole): ExpiryWindow => {
    const opens = Math.min(WANTED[role].opens, days[role] / 2);
    return { opens, alarm: Math.min(WANTED[role].alarm, opens / 2) };
  };
  return {
    root: fit('root'),
    targets: fit('targets'),
    snapshot: fit('snapshot'),
    timestamp: fit('timestamp'),
  };
}

/** @throws AgentError `usage.invalid` for a window in which nobody has time to renew anything */
export function checkWindows(windows: ExpiryWindows, days: TufDays): ExpiryWindows {
  for (const [role, { opens, alarm }] of Object.entries(windows)) {
    if (isTopRole(role) && opens > alarm && opens < days[role]) continue;
    throw new AgentError('usage.invalid', {
      message: `the window of ${role}: it opens ${opens} days before expiry and alarms at ${alarm}; it has to open before it alarms, and later than the signature is made`,
    });
  }
  return windows;
}

/** Where a role stands at a time. @param window of its type @param nowMs milliseconds */
export function expiryFacts(
  { role, version, expires }: { readonly role: string; readonly version: number; readonly expires: string },
  { opens, alarm }: ExpiryWindow,
  nowMs: number,
): ExpiryFacts {
  const at = tufTimeMs(expires) ?? 0;
  const before = (days: number): number => at - days * DAY_MS;
  const state =
    nowMs >= at ? 'expired' : nowMs >= before(alarm) ? 'alarm' : nowMs >= before(opens) ? 'renew' : 'fine';
  return {
    role,
    version,
    expires,
    opens: instant(before(opens)),
    alarm: instant(before(alarm)),
    days: Math.floor((at - nowMs) / DAY_MS),
    state,
  };
}

function instant(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d{3}Z$/, 'Z');
}
