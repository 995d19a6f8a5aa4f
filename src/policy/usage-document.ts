/** Usage counters as a state file: JSON with format and version. */
import { z } from 'zod';
import { AgentError } from '../errors/agent-error.js';
import { USAGE_FORMAT, USAGE_VERSION, type UsageState } from './usage.js';

const count = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);

const usageSchema = z.strictObject({
  format: z.literal(USAGE_FORMAT),
  version: z.literal(USAGE_VERSION),
  rules: z.record(
    z.string().min(1).max(64),
    z.strictObject({ total: count, buckets: z.array(z.tuple([count, count])).max(10_000) }),
  ),
});

/** Plain data of the counters, ready for JSON. */
export function usageToJson(state: UsageState): Readonly<Record<string, unknown>> {
  return { format: state.format, version: state.version, rules: Object.fromEntries(state.rules) };
}

/**
 * Reads counters back.
 * @throws AgentError `state.version` for another format or version, `state.damaged` for anything else.
 */
export function usageFromJson(value: unknown): UsageState {
  const head = z.object({ format: z.string(), version: z.number() }).safeParse(value);
  if (!head.success) throw damaged('format and version are missing');
  if (head.data.format !== USAGE_FORMAT || head.data.version !== USAGE_VERSION) {
    throw new AgentError('state.version', {
      message: `reading the usage counters: version ${head.data.version} is not one this release knows`,
    });
  }
  const parsed = usageSchema.safeParse(value);
  if (!parsed.success) throw damaged('a counter is not valid');
  return { format: USAGE_FORMAT, version: USAGE_VERSION, rules: new Map(Object.entries(parsed.data.rules)) };
}

function damaged(problem: string): AgentError {
  return new AgentError('state.damaged', { message: `reading the usage counters: ${problem}` });
}
