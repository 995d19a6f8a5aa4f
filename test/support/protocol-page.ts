/** docs/spec/protocol.md out of the method table, the limits and the error table, so that the page cannot fall behind them. */
import { z } from 'zod';
import { ERROR_TABLE, type ErrorRow } from '../../src/errors/codes.js';
import { LIMITS, PROTOCOL_VERSION, SUBPROTOCOL } from '../../src/protocol/limits.js';
import { METHODS } from '../../src/protocol/methods.js';

interface Schema {
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly anyOf?: readonly Schema[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
}

/** The whole page, ending with a line feed. */
export function protocolPage(): string {
  const methods = Object.entries(METHODS).map(([name, method]) =>
    section(
      name,
      `${method.summary}${method.access === 'owner' ? ' Only for the user the agent runs as.' : ''}`,
      schemaOf(method.params, 'input'),
      schemaOf(method.result, 'output'),
    ),
  );
  return [INTRODUCTION, limits(), '## Methods\n', ...methods, EVENTS, errors()].join('\n');
}

const INTRODUCTION = `# The control protocol

<!-- Made from src/protocol and src/errors by test/unit/protocol-page.test.ts; "npx vitest run protocol-page -u" writes it anew. -->

JSON-RPC 2.0 over a WebSocket on a Unix socket. The path of the socket is in \`TOUCHSTONE_SOCK\`; \`touchstone paths\` shows the default.

* The agent takes the caller's uid, gid and pid from the kernel when the connection is made. A caller that may not connect gets HTTP status 403
  and the error as JSON instead of the upgrade; so does every request with an \`Origin\` header. The client checks the uid of the listener
  (its own, 0, or the service user of its configuration) before it sends anything.
* Subprotocol \`${SUBPROTOCOL}\`, no compression. One JSON object per text message; no batches of JSON-RPC (a \`sign\` request holds a list instead),
  no notifications from the client, ids are integers or strings of at most 64 characters. Unknown parameters are refused.
* The first call is \`hello\` with protocol ${PROTOCOL_VERSION}. Requests may be sent without waiting; replies come in any order.
* Every request ends by its deadline with a result or an error. An error holds the number, the sentence, and in \`data\` the code, the sentence,
  a hint and details: \`{"code": -32080, "message": "…", "data": {"code": "policy.denied", "message": "…", "hint": "…", "details": {}}}\`.
* A connection ends when the process that opened it exits. A client that does not read its replies is not read from either.
`;

const EVENTS = `## Events

After \`events.subscribe\` the agent sends notifications with the method \`event\`. Their parameters:

| event | fields |
|---|---|
| \`token\` | \`token\`: as in \`tokens.list\` |
| \`unlocked\` | \`token\`, \`expiresAt\` |
| \`locked\` | \`token\`, \`reason\` |
| \`waiting\` | \`id\` of the request, \`token\`, \`ahead\`: how many orders stand before it |
| \`touch-needed\` | \`token\`, \`secondsLeft\`: somebody has to touch the key |
| \`token-absent\` | \`token\`, \`secondsLeft\`: somebody has to insert it, a command waits |
| \`policy\` | \`problem\`: why the policy file was refused, or null |
| \`stopping\` | |
`;

function limits(): string {
  const rows = Object.entries(LIMITS).map(([name, value]) => `| \`${name}\` | ${value} |`);
  return `## Limits\n\nBytes, numbers and milliseconds; \`hello\` answers with them.\n\n| limit | value |\n|---|---|\n${rows.join('\n')}\n`;
}

function errors(): string {
  const table: readonly (readonly [string, ErrorRow])[] = Object.entries(ERROR_TABLE);
  const rows = table.map(
    ([code, row]) => `| ${row.rpc} | \`${code}\` | ${row.exit} | ${row.retry} | ${row.sentence} |`,
  );
  return `## Errors\n\n\`exit\` is the exit status of the command line; \`retry\` says whether the same request can succeed later.\n\n| number | code | exit | retry | meaning |\n|---|---|---|---|---|\n${rows.join('\n')}\n`;
}

function schemaOf(schema: z.ZodType, io: 'input' | 'output'): Schema {
  return z.toJSONSchema(schema, { io }) as Schema;
}

function section(name: string, summary: string, params: Schema, result: Schema): string {
  return `### ${name}\n\n${summary}\n\n${fieldTable('parameter', params)}\n${fieldTable('result', result)}`;
}

function fieldTable(heading: string, schema: Schema): string {
  const rows = fieldRows(schema, '');
  if (rows.length === 0) return `No ${heading}s.\n`;
  return `| ${heading} | type | |\n|---|---|---|\n${rows.join('\n')}\n`;
}

/** Nested objects and lists of objects unfold into dotted names. */
function fieldRows(schema: Schema, prefix: string): readonly string[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, field]) => {
    const isOptional = !(schema.required ?? []).includes(name);
    const path = `${prefix}${name}`;
    const row = `| \`${path}\`${isOptional ? ' (optional)' : ''} | ${typeText(field)} | ${field.description ?? ''} |`;
    const inner = objectIn(field);
    return [
      row,
      ...(inner === undefined ? [] : fieldRows(inner, `${path}${field.type === 'array' ? '[]' : ''}.`)),
    ];
  });
}

function objectIn(field: Schema): Schema | undefined {
  if (field.properties !== undefined) return field;
  if (field.items?.properties !== undefined) return field.items;
  return field.anyOf?.find((one) => one.properties !== undefined);
}

function typeText(field: Schema): string {
  if (field.const !== undefined) return JSON.stringify(field.const);
  if (field.enum !== undefined) return field.enum.map((one) => `\`${String(one)}\``).join(', ');
  if (field.anyOf !== undefined) return field.anyOf.map(typeText).join(' or ');
  if (field.type === 'array')
    return `list${range(field.minItems, field.maxItems)} of ${typeText(field.items ?? {})}`;
  if (field.type === 'string') return `text${range(field.minLength, field.maxLength)}`;
  if (field.type === 'integer') return `integer${range(field.minimum, field.maximum)}`;
  return typeof field.type === 'string' ? field.type : (field.type ?? ['any']).join(' or ');
}

function range(low: number | undefined, high: number | undefined): string {
  const from = low === undefined || Math.abs(low) >= Number.MAX_SAFE_INTEGER ? undefined : low;
  const to = high === undefined || high >= Number.MAX_SAFE_INTEGER ? undefined : high;
  return from === undefined && to === undefined ? '' : ` (${from ?? ''}..${to ?? ''})`;
}
