/** A PostgreSQL of one test with the tables of a notary-server, on a free port; it can be stopped and started again. */
import { chownSync, existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { BackgroundProgram } from './background-program.js';
import { runProgram } from './demo-agent.js';
import { startOnFreePort } from './free-port.js';
import { TempFolder } from './temp-folder.js';

/** Debian's user `nobody`: PostgreSQL refuses to run as root. */
const NOBODY = 65534;
const USER = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : undefined;
const DEBIAN = '/usr/lib/postgresql';

/** One row per stored document; rows of the changefeed are written with every timestamp. */
const TABLES = `
CREATE TABLE tuf_files (
  id bigserial PRIMARY KEY, created_at timestamp, updated_at timestamp, deleted_at timestamp,
  gun text NOT NULL, role text NOT NULL, version integer NOT NULL, data bytea NOT NULL, sha256 text,
  UNIQUE (gun, role, version));
CREATE INDEX ON tuf_files (sha256);
CREATE TABLE changefeed (
  id bigserial PRIMARY KEY, created_at timestamp DEFAULT now(),
  gun text NOT NULL, version integer NOT NULL, sha256 text, category text NOT NULL DEFAULT 'update');
CREATE INDEX ON changefeed (gun);`;

export class PostgresServer implements AsyncDisposable {
  readonly port: number;
  readonly url: string;
  readonly #folder: TempFolder;
  #program: BackgroundProgram;

  private constructor(port: number, folder: TempFolder, program: BackgroundProgram) {
    this.port = port;
    this.url = `postgres://notary@127.0.0.1:${port}/postgres?sslmode=disable`;
    this.#folder = folder;
    this.#program = program;
  }

  static async start(): Promise<PostgresServer> {
    const folder = new TempFolder();
    try {
      if (USER !== undefined) chownSync(folder.path, USER.uid, USER.gid);
      await initialise(folder);
      const server = await startOnFreePort(
        async (port) => new PostgresServer(port, folder, await launch(folder, port)),
      );
      await server.query(TABLES);
      return server;
    } catch (failure) {
      folder[Symbol.dispose]();
      throw failure;
    }
  }

  /** Runs SQL; answers the rows, columns separated by `|`. */
  async query(sql: string): Promise<string> {
    const { status, stdout, stderr } = await runProgram(
      binary('psql'),
      [...this.#connection, '-X', '-q', '-t', '-A', '-v', 'ON_ERROR_STOP=1', '-f', '-'],
      { input: sql },
    );
    if (status !== 0) throw new Error(`psql: exit ${status}\n${stderr}\n${this.#program.tail()}`);
    return stdout.trim();
  }

  get #connection(): readonly string[] {
    return ['-h', '127.0.0.1', '-p', String(this.port), '-U', 'notary', '-d', 'postgres'];
  }

  /** Keeps everybody from writing to a table, but not from reading, until the returned program is stopped. */
  lock(table: string): Promise<BackgroundProgram> {
    const steps = [
      'BEGIN',
      `LOCK TABLE ${table} IN EXCLUSIVE MODE`,
      "SELECT 'locked'",
      'SELECT pg_sleep(600)',
    ];
    return BackgroundProgram.start({
      program: binary('psql'),
      argv: [...this.#connection, '-X', '-q', '-t', '-A', ...steps.flatMap((one) => ['-c', one])],
      isReady: (output) => output.includes('locked'),
    });
  }

  /** At once, as a machine that loses its power: what is in work fails. */
  stop(): Promise<void> {
    return this.#program.stop('SIGQUIT');
  }

  async restart(): Promise<void> {
    await this.stop();
    this.#program = await launch(this.#folder, this.port);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    this.#folder[Symbol.dispose]();
  }
}

/** Debian keeps the programs beside their version, not on the path. */
function binary(name: string): string {
  const versions = existsSync(DEBIAN) ? readdirSync(DEBIAN) : [];
  const places = versions.map((version) => path.join(DEBIAN, version, 'bin', name));
  return places.find((file) => existsSync(file)) ?? name;
}

async function initialise(folder: TempFolder): Promise<void> {
  const { program, argv } = asUser(binary('initdb'), [
    '-D',
    folder.join('data'),
    '-U',
    'notary',
    '-A',
    'trust',
    '-N',
  ]);
  const { status, stdout, stderr } = await runProgram(program, argv, { cwd: folder.path });
  if (status !== 0) throw new Error(`initdb: exit ${status}\n${stdout}${stderr}`);
}

function asUser(
  program: string,
  argv: readonly string[],
): { readonly program: string; readonly argv: readonly string[] } {
  if (USER === undefined) return { program, argv };
  const words = [`--reuid=${USER.uid}`, `--regid=${USER.gid}`, '--clear-groups', '--', program];
  return { program: 'setpriv', argv: [...words, ...argv] };
}

function launch(folder: TempFolder, port: number): Promise<BackgroundProgram> {
  const settings = [
    'listen_addresses=127.0.0.1',
    `port=${port}`,
    `unix_socket_directories=${folder.path}`,
    'fsync=off',
    'max_connections=40',
  ];
  const argv = ['-D', folder.join('data'), ...settings.flatMap((setting) => ['-c', setting])];
  return BackgroundProgram.start({
    ...asUser(binary('postgres'), argv),
    cwd: folder.path,
    isReady: (output) => output.includes('ready to accept connections'),
  });
}
