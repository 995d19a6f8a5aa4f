/** What tests of publishing need: the real notary-server with its signer, and an agent whose trust commands know it. */
import { startDemoAgent, type CommandResult, type DemoAgent } from './demo-agent.js';
import { NotaryServer } from './notary-server.js';
import { NotarySigner } from './notary-signer.js';
import { TestAuthority } from './test-authority.js';

export class TrustStack implements AsyncDisposable {
  readonly authority: TestAuthority;
  readonly signer: NotarySigner;
  readonly server: NotaryServer;

  private constructor(authority: TestAuthority, signer: NotarySigner, server: NotaryServer) {
    this.authority = authority;
    this.signer = signer;
    this.server = server;
  }

  static async start(): Promise<TrustStack> {
    const authority = new TestAuthority();
    const signer = await NotarySigner.start(authority);
    const server = await NotaryServer.start({ authority, trustService: signer });
    return new TrustStack(authority, signer, server);
  }

  /** A publisher of its own: agent, keys, trust folder. */
  async publisher(): Promise<TrustPublisher> {
    return new TrustPublisher(await startDemoAgent(), this.server);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server[Symbol.asyncDispose]();
    await this.signer[Symbol.asyncDispose]();
    this.authority[Symbol.dispose]();
  }
}

export class TrustPublisher implements AsyncDisposable {
  readonly agent: DemoAgent;
  readonly #server: NotaryServer;

  constructor(agent: DemoAgent, server: NotaryServer) {
    this.agent = agent;
    this.#server = server;
  }

  /** Runs `touchstone trust ARGV`, whatever becomes of it. */
  run(...argv: readonly string[]): Promise<CommandResult> {
    return this.agent.touchstone(['trust', ...argv, ...this.options], { timeoutMs: 60_000 });
  }

  /** Runs `touchstone trust ARGV`, which has to succeed; answers its output. */
  must(...argv: readonly string[]): Promise<string> {
    return this.agent.must(['trust', ...argv, ...this.options], { timeoutMs: 60_000 });
  }

  /** Signs a tag with a digest that is one hex digit over and over. */
  sign(reference: string, digit: string, ...argv: readonly string[]): Promise<string> {
    return this.must('sign', reference, '--digest', digestOf(digit), '--size', '423', ...argv);
  }

  get options(): readonly string[] {
    return ['--server', this.#server.url, '--ca', this.#server.authority.certificate];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.agent[Symbol.asyncDispose]();
  }
}

/** `sha256:` and one hex digit 64 times. */
export function digestOf(digit: string): string {
  return `sha256:${digit.repeat(64)}`;
}
