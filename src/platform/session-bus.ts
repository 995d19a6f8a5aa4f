/** One bounded call on the session bus of the desktop, through `gdbus`, which desktops have: no library in here. */
import { accessSync, constants } from 'node:fs';
import { runBounded } from './bounded-program.js';
import { scrubEnvironment } from './hardening.js';

const GDBUS_PLACES = ['/usr/bin/gdbus', '/usr/local/bin/gdbus'] as const;
/** A service that does not answer by then is left alone. Milliseconds. */
const CALL_MS = 3_000;

export interface BusCall {
  readonly service: string;
  /** Of the object. */
  readonly path: string;
  /** Interface and name. */
  readonly method: string;
  /** In GVariant text. */
  readonly parameters: readonly string[];
  readonly maxAnswerBytes: number;
}

/** Whether this process belongs to a desktop session whose bus can be called. */
export function hasSessionBus(): boolean {
  return (process.env['DBUS_SESSION_BUS_ADDRESS'] ?? '') !== '' && gdbusPath() !== undefined;
}

/** The answer in GVariant text; empty when there is none, for whatever reason. */
export async function callSessionBus({
  service,
  path,
  method,
  parameters,
  maxAnswerBytes,
}: BusCall): Promise<string> {
  const gdbus = gdbusPath();
  if (gdbus === undefined) return '';
  const target = ['--session', '--dest', service, '--object-path', path, '--method', method];
  const end = await runBounded({
    program: gdbus,
    argv: ['call', ...target, ...parameters],
    environment: scrubEnvironment(process.env, ['DBUS_SESSION_BUS_ADDRESS']),
    maxOutputBytes: maxAnswerBytes,
    timeoutMs: CALL_MS,
  });
  return end.kind === 'ended' ? end.output.toString('latin1') : '';
}

/** A string in GVariant text, in ASCII. */
export function busText(words: string): string {
  const escaped = words.replaceAll(/[^ -~]|["'\\]/gu, (sign) => {
    const code = sign.codePointAt(0) ?? 0;
    return code > 0xffff
      ? `\\U${code.toString(16).padStart(8, '0')}`
      : `\\u${code.toString(16).padStart(4, '0')}`;
  });
  return `"${escaped}"`;
}

function gdbusPath(): string | undefined {
  return GDBUS_PLACES.find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
