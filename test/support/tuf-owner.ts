/** Somebody who publishes a TUF repository: an agent with its own token, and the command line as a person types it. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { startDemoAgent, type CommandResult, type DemoAgent } from './demo-agent.js';

/** Name of the repository in the names of keys. */
export const REPOSITORY = 'acme.example/updates';

export class TufOwner implements AsyncDisposable {
  readonly agent: DemoAgent;
  /** The folder that a web server would hand out. */
  readonly folder: string;

  private constructor(agent: DemoAgent, folder: string) {
    this.agent = agent;
    this.folder = folder;
  }

  /** With a root key of its own; @param folder where the repository is, or undefined for one beside the agent */
  static async start(folder?: string): Promise<TufOwner> {
    const agent = await startDemoAgent();
    const owner = new TufOwner(agent, folder ?? path.join(agent.folder, 'updates'));
    const tokens = JSON.parse(await agent.must(['token', 'list', '--json'])) as {
      readonly tokens: readonly { readonly name: string }[];
    };
    const token = tokens.tokens[0]?.name ?? '';
    await agent.must(['key', 'create', `${REPOSITORY}#root:1`, '--token', token]);
    return owner;
  }

  /** `touchstone tuf WORD FOLDER …`. */
  run(word: string, ...argv: readonly string[]): Promise<CommandResult> {
    return this.agent.touchstone(['tuf', word, this.folder, ...argv]);
  }

  /** As `run`, which has to succeed; answers what --json prints. */
  async must(word: string, ...argv: readonly string[]): Promise<TufAnswer> {
    return JSON.parse(await this.agent.must(['tuf', word, this.folder, ...argv, '--json'])) as TufAnswer;
  }

  init(...argv: readonly string[]): Promise<TufAnswer> {
    return this.must('init', REPOSITORY, ...argv);
  }

  /** Exports a public key into a PEM file; answers the file. */
  async publicKey(name: string): Promise<string> {
    const file = path.join(this.agent.folder, `${name.replaceAll(/[^a-z0-9]/g, '-')}.pem`);
    await this.agent.must(['key', 'export', `${REPOSITORY}#${name}`, '-o', file]);
    return file;
  }

  /** A metadata file as JSON. */
  metadata(file: string): TufFile {
    return JSON.parse(readFileSync(path.join(this.folder, 'metadata', file), 'utf8')) as TufFile;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.agent[Symbol.asyncDispose]();
  }
}

/** What commands of `tuf` print with --json; each of them some of it. */
export interface TufAnswer {
  readonly published: readonly { readonly role: string; readonly version: number }[];
  readonly waiting: readonly {
    readonly role: string;
    readonly version: number | null;
    readonly good: number;
    readonly threshold: number;
    readonly file: string | null;
  }[];
  readonly ok: boolean;
  readonly roles: readonly {
    readonly role: string;
    readonly version: number;
    readonly signedBy: readonly string[];
  }[];
  readonly problems: readonly { readonly name: string; readonly problem: string }[];
}

export interface TufFile {
  readonly signed: {
    readonly version: number;
    readonly expires: string;
    readonly targets?: Readonly<
      Record<string, { readonly length: number; readonly hashes: { readonly sha256: string } }>
    >;
    readonly meta?: Readonly<Record<string, { readonly version: number }>>;
  };
  readonly signatures: readonly { readonly keyid: string; readonly sig: string }[];
}
