/** What PC/SC says when something fails, and the error of ours that it becomes. */
import { AgentError } from '../../errors/agent-error.js';
import type { ErrorCode } from '../../errors/codes.js';

interface Row {
  readonly code: ErrorCode;
  readonly sentence: string;
  readonly hint?: string;
}

const NO_SERVICE: Row = {
  code: 'token.absent',
  sentence: 'the smart card service does not run',
  hint: 'start it: systemctl start pcscd.socket',
};
const NO_READER: Row = { code: 'token.absent', sentence: 'the reader is gone' };
const REMOVED: Row = { code: 'token.removed', sentence: 'the card is gone' };

/** pcscd asks polkit, which lets in who sits at the machine. */
const NOT_PERMITTED: Row = {
  code: 'token.not-permitted',
  sentence: 'this user may not use smart cards',
  hint: 'allow it with a polkit rule: see docs/tokens/yubikey.md',
};

/** Numbers of the PC/SC specification; what is missing becomes `token.device`. */
const ROWS: ReadonlyMap<string, Row> = new Map([
  ['0x8010000b', { code: 'token.busy', sentence: 'another program holds the card for itself' }],
  ['0x80100009', NO_READER],
  ['0x80100017', NO_READER],
  ['0x8010000c', REMOVED],
  ['0x80100069', REMOVED],
  ['0x8010001d', NO_SERVICE],
  ['0x8010001e', NO_SERVICE],
  ['0x8010006a', NOT_PERMITTED],
  [
    'ELIBACC',
    {
      code: 'token.module-missing',
      sentence: 'the PC/SC library could not be loaded',
      hint: 'install it: Debian package libpcsclite1',
    },
  ],
]);

/** Another program has reset the card: everything may simply be asked again. */
const RESET = '0x80100068';

export function isReset(thrown: unknown): boolean {
  return codeOf(thrown) === RESET;
}

/** @param what was tried */
export function pcscError(what: string, thrown: unknown): AgentError {
  if (thrown instanceof AgentError) return thrown;
  const number = codeOf(thrown);
  const row = number === undefined ? undefined : ROWS.get(number);
  return new AgentError(row?.code ?? 'token.device', {
    message: `${what}: ${row?.sentence ?? `PC/SC failed (${number ?? 'no number'})`}`,
    ...(row?.hint === undefined ? {} : { hint: row.hint }),
    cause: thrown,
  });
}

function codeOf(thrown: unknown): string | undefined {
  return thrown instanceof Error && 'code' in thrown && typeof thrown.code === 'string'
    ? thrown.code
    : undefined;
}
