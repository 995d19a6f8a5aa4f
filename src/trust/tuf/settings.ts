/** `touchstone-tuf.json` in the folder of a repository: its name, and how long signatures are good. Nothing in it is secret, and nothing is believed because of it. */
import { z } from 'zod';
import { parseJsonStrict } from '../../encoding/json.js';
import { AgentError } from '../../errors/agent-error.js';
import { TOP_ROLES, type TopRole } from '../../formats/tuf/document.js';

/** Days of each top-level role; `targets` also for every role that is delegated to. */
export type TufDays = Readonly<Record<TopRole, number>>;

export interface TufSettings {
  /** As in the names of its keys: `acme.example/updates#targets`. */
  readonly repository: string;
  readonly days: TufDays;
}

/** What is renewed by machines is short, what people sign is long. */
export const DEFAULT_DAYS: TufDays = { root: 365, targets: 180, snapshot: 30, timestamp: 7 };

/** The longest that any signature is good, days. */
export const MAX_DAYS = 3_650;

const FORMAT = 'touchstone-tuf';

const days = z.int().min(1).max(MAX_DAYS);
const schema = z.strictObject({
  format: z.literal(FORMAT),
  version: z.literal(1),
  repository: z.string().regex(/^[a-z0-9._:/-]{1,255}$/),
  days: z.strictObject({ root: days, targets: days, snapshot: days, timestamp: days }),
});

/** @throws AgentError `tuf.document` naming the field */
export function readSettings(bytes: Buffer, file: string): TufSettings {
  const parsed = schema.safeParse(parseJsonStrict(bytes, `reading ${file}`, 'tuf.document'));
  if (parsed.success) {
    const { repository, days: written } = parsed.data;
    return { repository, days: written };
  }
  const at = parsed.error.issues[0]?.path.join('.') ?? '';
  throw new AgentError('tuf.document', {
    message: `reading ${file}: ${at === '' ? 'it is no settings file of a repository' : `${at} is not valid`}`,
    hint: 'put the file back as "touchstone tuf init" wrote it',
  });
}

/** The file, with a final newline. */
export function settingsText({ repository, days: kept }: TufSettings): string {
  const ordered = Object.fromEntries(TOP_ROLES.map((role) => [role, kept[role]]));
  return `${JSON.stringify({ format: FORMAT, version: 1, repository, days: ordered }, null, 2)}\n`;
}
