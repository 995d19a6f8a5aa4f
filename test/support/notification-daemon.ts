/** A desktop whose notifications the test reads: a real session bus, and on it a daemon that writes down what it is told. */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { DesktopSession } from './desktop-session.js';
import { PROJECT_ROOT } from './project-root.js';
import { TempFolder } from './temp-folder.js';

const DAEMON = path.join(PROJECT_ROOT, 'test/support/notification-daemon.py');

interface Call {
  readonly method: 'Notify' | 'CloseNotification';
  readonly values: readonly unknown[];
}

export class NotificationDesk implements AsyncDisposable {
  readonly session: DesktopSession;
  readonly #folder: TempFolder;

  private constructor(session: DesktopSession, folder: TempFolder) {
    this.session = session;
    this.#folder = folder;
  }

  static async start(): Promise<NotificationDesk> {
    const folder = new TempFolder();
    const line = `/usr/bin/python3 '${DAEMON}' '${folder.join('calls')}' &
gdbus wait --session --timeout 20 org.freedesktop.Notifications || exit 1`;
    return new NotificationDesk(await DesktopSession.start({ line }), folder);
  }

  get calls(): readonly Call[] {
    const file = this.#folder.join('calls');
    if (!existsSync(file)) return [];
    const text = readFileSync(file, 'utf8');
    const lines = text.slice(0, text.lastIndexOf('\n') + 1).split('\n');
    return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as Call);
  }

  /** Title and body of what was shown, in order. */
  get shown(): readonly string[] {
    return this.calls.flatMap(({ method, values }) =>
      method === 'Notify' ? [`${String(values[3])}: ${String(values[4])}`] : [],
    );
  }

  /** How many were taken away again. */
  get closed(): number {
    return this.calls.filter(({ method }) => method === 'CloseNotification').length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.session[Symbol.asyncDispose]();
    this.#folder[Symbol.dispose]();
  }
}
