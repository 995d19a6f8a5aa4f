/** A desktop session of one test: a real session bus under dbus-run-session, and on it what the test asks for. Of the system's services none is activated. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { BackgroundProgram } from './background-program.js';
import { runProgram } from './demo-agent.js';
import { processTree, waitForExit } from './process-tree.js';
import { TempFolder } from './temp-folder.js';

/** A keyring that an empty password opens, which it does a moment after it has its name on the bus. */
const KEYRING = `printf '\\n' | gnome-keyring-daemon --unlock --components=secrets --foreground >/dev/null 2>&1 &
gdbus wait --session --timeout 20 org.freedesktop.secrets || exit 1
for _ in $(seq 100); do
  gdbus call --session --dest org.freedesktop.secrets --object-path /org/freedesktop/secrets/collection/login \\
    --method org.freedesktop.DBus.Properties.Get org.freedesktop.Secret.Collection Locked 2>/dev/null | grep -q false && break
  sleep 0.1
done`;

export class DesktopSession implements AsyncDisposable {
  /** For programs that belong to the session. */
  readonly environment: Readonly<Record<string, string>>;
  readonly #folder: TempFolder;
  readonly #bus: BackgroundProgram;

  private constructor(
    folder: TempFolder,
    bus: BackgroundProgram,
    environment: Readonly<Record<string, string>>,
  ) {
    this.#folder = folder;
    this.#bus = bus;
    this.environment = environment;
  }

  /**
   * @param on a shell line that starts what shall be there, and returns when it is; `keyring` is the real gnome-keyring; `services` are
   *   started by the bus when somebody calls their name, on `display`
   */
  static async start(
    on: {
      readonly keyring?: boolean;
      readonly line?: string;
      readonly display?: string;
      readonly services?: Readonly<Record<string, string>>;
    } = {},
  ): Promise<DesktopSession> {
    const folder = new TempFolder();
    for (const name of ['data', 'run', 'services']) mkdirSync(folder.join(name), { mode: 0o700 });
    writeFileSync(folder.join('bus.conf'), busConfig(folder.join('bus'), folder.join('services')));
    for (const [name, program] of Object.entries(on.services ?? {}))
      writeFileSync(
        folder.join('services', `${name}.service`),
        `[D-BUS Service]\nName=${name}\nExec=${program}\n`,
      );
    const environment = {
      DBUS_SESSION_BUS_ADDRESS: `unix:path=${folder.join('bus')}`,
      HOME: folder.path,
      XDG_DATA_HOME: folder.join('data'),
      XDG_RUNTIME_DIR: folder.join('run'),
    };
    const lines = [
      on.keyring === true ? KEYRING : ':',
      on.line ?? ':',
      'echo session-ready',
      'exec sleep 600',
    ];
    const bus = await BackgroundProgram.start({
      program: 'dbus-run-session',
      argv: [`--config-file=${folder.join('bus.conf')}`, '--', 'sh', '-c', lines.join('\n')],
      environment: { PATH: process.env['PATH'], ...environment, DISPLAY: on.display },
      isReady: (output) => output.includes('session-ready'),
    });
    return new DesktopSession(folder, bus, environment);
  }

  /** How many secrets of `service` the keyring holds, as the Secret Service itself says. */
  async secretsOf(service: string): Promise<number> {
    const found = await this.#secrets('SearchItems', `{'service': '${service}'}`);
    return found.split('/org/freedesktop/secrets/collection/').length - 1;
  }

  /** Locks the keyring as a screen saver does; nobody is there to ask for its password. */
  async lockKeyring(): Promise<void> {
    const collection = "['/org/freedesktop/secrets/collection/login']";
    await this.#secrets('Lock', collection);
  }

  async #secrets(method: string, parameter: string): Promise<string> {
    const target = ['--dest', 'org.freedesktop.secrets', '--object-path', '/org/freedesktop/secrets'];
    const answer = await runProgram(
      'gdbus',
      ['call', '--session', ...target, '--method', `org.freedesktop.Secret.Service.${method}`, parameter],
      { environment: { PATH: process.env['PATH'], ...this.environment } },
    );
    if (answer.status !== 0) throw new Error(`gdbus: ${answer.stderr}`);
    return answer.stdout;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const all = processTree(this.#bus.pid);
    for (const pid of all) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It ended with another one.
      }
    }
    await waitForExit(all, 5_000);
    await this.#bus.stop();
    this.#folder[Symbol.dispose]();
  }
}

function busConfig(path: string, services: string): string {
  return `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path=${path}</listen>
  <auth>EXTERNAL</auth>
  <servicedir>${services}</servicedir>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
`;
}
