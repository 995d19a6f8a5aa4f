/** A machine for a rehearsal: an agent of its own in a folder that is thrown away, with a SoftHSM token for each key. */
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { defaultConfig } from '../config/default-config.js';
import type { Pkcs11TokenConfig } from '../config/token-document.js';
import { AgentError } from '../errors/agent-error.js';
import { findSoftHsm, provisionSoftHsm } from '../platform/softhsm.js';
import { defaultPolicy } from '../policy/default-policy.js';
import type { CliContext } from './context.js';

const STEP_MS = 120_000;
const MAX_OUTPUT_BYTES = 16 * 1024 * 1024;
/** No secret: the tokens of a rehearsal guard nothing. */
const PIN = '123456';
/** The machine's own token. */
const ROOM = 'room';

export class RehearsalRoom implements AsyncDisposable {
  readonly context: CliContext;
  readonly pinFile: string;
  readonly #folder: string;

  private constructor(context: CliContext) {
    this.#folder = mkdtempSync(join(tmpdir(), 'touchstone-rehearsal-'));
    this.pinFile = join(this.#folder, 'pin');
    this.context = {
      ...context,
      env: {
        ...context.env,
        TOUCHSTONE_CONFIG: join(this.#folder, 'config', 'touchstone.toml'),
        TOUCHSTONE_STATE: join(this.#folder, 'state'),
        TOUCHSTONE_SOCK: join(this.#folder, 'run', 'agent.sock'),
      },
      flags: { ...context.flags, socket: undefined },
    };
  }

  /** @param tokens their names @throws AgentError `token.module-missing`, `integrate.program` */
  static async open(context: CliContext, tokens: readonly string[]): Promise<RehearsalRoom> {
    const room = new RehearsalRoom(context);
    try {
      await room.#setUp(tokens);
      return room;
    } catch (failure) {
      await room[Symbol.asyncDispose]();
      throw failure;
    }
  }

  /** Absolute path of a folder for what belongs to the keys of this machine. */
  get trustDir(): string {
    return join(this.#folder, 'trust');
  }

  readonly readPin = (): Promise<Buffer> => Promise.resolve(Buffer.from(PIN, 'utf8'));

  /** Runs `touchstone ARGV` on this machine. @returns standard output @throws AgentError `integrate.program` */
  run(...argv: readonly string[]): Promise<string> {
    return this.#execute(process.execPath, [this.context.program, ...argv], {});
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.run('agent', 'stop').catch(() => undefined);
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #setUp(tokens: readonly string[]): Promise<void> {
    const module = findSoftHsm();
    const configs: Pkcs11TokenConfig[] = [];
    for (const name of [ROOM, ...tokens]) configs.push(await this.#makeToken(name, module));
    const config = join(this.#folder, 'config');
    mkdirSync(config, { mode: 0o700 });
    const text = defaultConfig({ domain: 'rehearsal.invalid', tokens: configs });
    writeFileSync(join(config, 'touchstone.toml'), text, { mode: 0o600 });
    writeFileSync(join(config, 'policy.toml'), defaultPolicy(), { mode: 0o600 });
    writeFileSync(this.pinFile, `${PIN}\n`, { mode: 0o600 });
    await this.run('agent', 'start', ...(this.context.uid === 0 ? ['--allow-root'] : []));
    await this.run('token', 'setup', '--token', ROOM, '--pin-file', this.pinFile);
  }

  async #makeToken(name: string, module: string): Promise<Pkcs11TokenConfig> {
    const { conf } = provisionSoftHsm(join(this.#folder, 'tokens', name), module);
    const env = { SOFTHSM2_CONF: conf };
    const argv = ['--init-token', '--free', '--label', name, '--so-pin', PIN, '--pin', PIN];
    await this.#execute('softhsm2-util', argv, env);
    return {
      kind: 'pkcs11',
      name,
      module,
      uri: `pkcs11:token=${name}`,
      onRemoval: 'keep',
      embedded: false,
      env,
      pin: { source: 'person' },
    };
  }

  #execute(
    program: string,
    argv: readonly string[],
    more: Readonly<Record<string, string>>,
  ): Promise<string> {
    const env = { ...this.context.env, ...more };
    const limits = { timeout: STEP_MS, maxBuffer: MAX_OUTPUT_BYTES };
    return new Promise((resolve, reject) => {
      execFile(program, argv, { env, ...limits }, (failure, stdout, stderr) => {
        if (failure === null) resolve(stdout);
        else reject(failureOf(program, argv, stderr, failure));
      });
    });
  }
}

function failureOf(program: string, argv: readonly string[], stderr: string, cause: Error): AgentError {
  const step = program === process.execPath ? argv.slice(1, 3).join(' ') : program;
  const [said = ''] = stderr.split('\n').filter((line) => line.includes('error'));
  const why = said === '' ? 'it failed' : said.replace(/^touchstone: error: /, '');
  return new AgentError('integrate.program', { message: `rehearsing, ${step}: ${why}`, cause });
}
