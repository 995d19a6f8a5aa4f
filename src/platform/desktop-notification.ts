/** Desktop notifications by the freedesktop specification 1.2. */
import { busText, callSessionBus } from './session-bus.js';

const SERVICE = 'org.freedesktop.Notifications';
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

function callDaemon(method: string, parameters: readonly string[]): Promise<string> {
  return callSessionBus({
    service: SERVICE,
    path: '/org/freedesktop/Notifications',
    method: `${SERVICE}.${method}`,
    parameters,
    maxAnswerBytes: MAX_ANSWER_BYTES,
  });
}

/** Only characters that mean nothing in the markup of a body. */
function text(words: string): string {
  return busText(words.replaceAll(/[^ -~]|["'\\<>&]/g, '?'));
}
