/**
 * What holders of root keys sign in a ceremony besides metadata: that they hold a new key, that they were there, and everything in a
 * rehearsal. Each has a DSSE type of its own and names its ceremony.
 */
import { createHash } from 'node:crypto';
import { parseJsonStrict } from '../encoding/json.js';
import { printable } from '../encoding/utf8.js';
import { isJsonObject } from './json-object.js';
import type { Statement } from './statement.js';
import { unrecognised } from './unrecognised.js';

const TYPE_PREFIX = 'application/vnd.touchstone.ceremony-';
const MAX_BODY = 4 * 1024 * 1024;

/** Whether a kind is one of those that name no repository, because a ceremony may be about many. */
export function isCeremonyKind(kind: string): boolean {
  return kind.startsWith(`dsse:${TYPE_PREFIX}`);
}

/**
 * Reads the body of a DSSE statement of a ceremony into facts: an object that names its `ceremony`.
 * @throws AgentError `statement.unrecognised`
 */
export function describeCeremonyStatement(kind: string, body: Buffer): Statement {
  const what = printable(kind, 120);
  if (body.length > MAX_BODY) throw unrecognised(what, 'the body is too long');
  const value = parseJsonStrict(body, `reading the bytes as ${what}`, 'statement.unrecognised');
  const ceremony = isJsonObject(value) ? value['ceremony'] : undefined;
  if (typeof ceremony !== 'string' || ceremony === '') throw unrecognised(what, 'they name no ceremony');
  const noun = kind.slice(`dsse:${TYPE_PREFIX}`.length).replace(/\+json$/, '');
  const sha256 = createHash('sha256').update(body).digest('hex');
  return {
    kind,
    summary: [printable(`ceremony ${ceremony}: ${noun}`, 120), `sha256:${sha256}`],
    facts: { ceremony: printable(ceremony, 100), sha256 },
    blind: false,
  };
}
