/**
 * The process that speaks to the keychain, and does one thing. keytar takes and gives strings, which nobody can overwrite: this process
 * ends right after, and the agent itself never holds one. Searching (`findCredentials`) crashes on items of other programs and is not used.
 */
import { readFileSync, writeSync } from 'node:fs';
import { createRequire } from 'node:module';
import type * as Keytar from 'keytar';
import { AgentError } from '../../errors/agent-error.js';
import { KEYCHAIN_ACTIONS, KEYCHAIN_ANSWER, KEYCHAIN_SERVICE, type KeychainAction } from './answer.js';

const STDIN = 0;
const STDOUT = 1;
/** Characters of a reason that are passed on. */
const MAX_REASON = 300;

/** Does what the arguments say, `ACTION ACCOUNT`; the value to write comes from standard input. Answers on standard output. */
export async function serveKeychain([action, account]: readonly string[]): Promise<void> {
  try {
    const known = KEYCHAIN_ACTIONS.find((each) => each === action);
    if (known === undefined || account === undefined) throw new AgentError('usage.invalid');
    const value = await run(known, account);
    say(value === null ? KEYCHAIN_ANSWER.nothing : KEYCHAIN_ANSWER.done, value ?? '');
  } catch (error) {
    say(KEYCHAIN_ANSWER.failed, reasonOf(error));
  }
}

/** @returns null where there was nothing */
async function run(action: KeychainAction, account: string): Promise<string | null> {
  // An optional package: absent on some systems, and without a library of the system it does not load.
  const keytar = createRequire(import.meta.url)('keytar') as typeof Keytar;
  switch (action) {
    case 'read':
      return keytar.getPassword(KEYCHAIN_SERVICE, account);
    case 'write':
      await keytar.setPassword(KEYCHAIN_SERVICE, account, readValue());
      return '';
    case 'erase':
      return (await keytar.deletePassword(KEYCHAIN_SERVICE, account)) ? '' : null;
  }
}

function readValue(): string {
  const bytes = readFileSync(STDIN);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } finally {
    bytes.fill(0);
  }
}

function say(kind: number, text: string): void {
  const bytes = Buffer.concat([Buffer.of(kind), Buffer.from(text, 'utf8')]);
  for (let at = 0; at < bytes.length;) at += writeSync(STDOUT, bytes, at);
  bytes.fill(0);
}

/** Of the library and of libsecret; neither repeats a value. */
function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : 'unknown';
  const words = text.startsWith('Failed to load') ? 'libsecret-1.so.0 could not be loaded' : text;
  const missing = (error as NodeJS.ErrnoException).code === 'MODULE_NOT_FOUND';
  const reason = missing ? 'the optional package keytar is not installed' : words;
  return reason.replaceAll(/\p{C}/gu, ' ').slice(0, MAX_REASON);
}
