/** A demo agent over the faulty module, with a keyring of software keys: what is tested is what it sends, not what it signs. */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { DemoAgent } from './demo-agent.js';
import { FaultyModule } from './faulty-module.js';
import { signedFile, softwareKeyring } from './software-keyring.js';

export class FaultyAgent extends DemoAgent {
  readonly module = new FaultyModule();

  /** Configured, not started. @param lines further lines of its [[token]] table */
  async prepare(lines: readonly string[] = []): Promise<this> {
    await this.must([
      'init',
      '--module',
      this.module.path,
      '--token',
      'pkcs11:token=faulty',
      '--name',
      'faulty',
    ]);
    const plan = String(this.module.environment['FAULTY_PLAN']);
    const all = [`env = { FAULTY_PLAN = "${plan}" }`, ...lines];
    this.configure((toml) => toml.replace(/^uri = .*$/m, (line) => [line, ...all].join('\n')));
    mkdirSync(this.stateDir, { recursive: true, mode: 0o700 });
    writeFileSync(path.join(this.stateDir, 'keyring.json'), signedFile(softwareKeyring()), { mode: 0o600 });
    return this;
  }

  /** How often a PIN was sent to the token since `behave`. */
  get logins(): number {
    return this.module.log().filter((call) => call === 'C_Login').length;
  }

  override async [Symbol.asyncDispose](): Promise<void> {
    await super[Symbol.asyncDispose]();
    this.module[Symbol.dispose]();
  }
}
