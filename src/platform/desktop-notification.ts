/** Desktop notifications by the freedesktop specification 1.2, through `gdbus`, which desktops have: one bounded call, no library in here. */
import { accessSync, constants } from 'node:fs';
import { runBounded } from './bounded-program.js';
import { scrubEnvironment } from './hardening.js';

const GDBUS_PLACES = ['/usr/bin/gdbus', '/usr/local/bin/gdbus'] as const;
const SERVICE = 'org.freedesktop.Notifications';
/** A daemon that does not answer by then is left alone. Milliseconds. */
const CALL_MS = 3_000;
const MAX_ANSWER_BYTES = 256;

export interface DesktopNotification {
  readonly title: string;
  /** One sentence; no markup. */
  readonly body: string;
  /** How long it stands when nobody takes it away. */
  readonly seconds: number;
  /** The one it stands in for; 0 for none. */
  readonly replaces: number;
}

/** Whether this process belongs to a desktop session that can be told something. */
export function hasDesktop(): boolean {
  return (process.env['DBUS_SESSION_BUS_ADDRESS'] ?? '') !== '' && gdbusPath() !== undefined;
}

/** Shows it. @returns its number, or undefined when nobody shows notifications here */
export async function showNotification({
  title,
  body,
  seconds,
  replaces,
}: DesktopNotification): Promise<number | undefined> {
  const answer = await callDaemon('Notify', [
    text('Touchstone'),
    `uint32 ${replaces}`,
    text(''),
    text(title),
    text(body),
    '@as []',
    // Critical, because somebody waits; transient, because nobody wants to read it later.
    "{'urgency': <byte 2>, 'transient': <true>}",
    `int32 ${seconds * 1000}`,
  ]);
  const number = /^\(uint32 (\d{1,10}),\)/.exec(answer)?.[1];
  return number === undefined ? undefined : Number(number);
}

/** Takes it away, if it still stands. */
export async function closeNotification(number: number): Promise<void> {
  await callDaemon('CloseNotification', [`uint32 ${number}`]);
}

async function callDaemon(method: string, parameters: readonly string[]): Promise<string> {
  const gdbus = gdbusPath();
  if (gdbus === undefined) return '';
  const end = await runBounded({
    program: gdbus,
    argv: [
      ...['call', '--session', '--dest', SERVICE, '--object-path', '/org/freedesktop/Notifications'],
      ...['--method', `${SERVICE}.${method}`, ...parameters],
    ],
    environment: scrubEnvironment(process.env, ['DBUS_SESSION_BUS_ADDRESS']),
    maxOutputBytes: MAX_ANSWER_BYTES,
    timeoutMs: CALL_MS,
  });
  return end.kind === 'ended' ? end.output.toString('latin1') : '';
}

/** A string as GVariant text writes it; only characters that need no escape there or in the markup of a body. */
function text(words: string): string {
  return `"${words.replaceAll(/[^ -~]|["'\\<>&]/g, '?')}"`;
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
