/** git's own configuration, read and changed through git itself. */
import { execFileSync } from 'node:child_process';
import { AgentError } from '../../errors/agent-error.js';
import type { Environment } from '../context.js';

/** `global` is the user's file; a folder is the repository it lies in. */
export type GitScope = 'global' | { readonly folder: string };

/** Longest a git command may take, milliseconds. */
const GIT_MS = 10_000;
/** Other failures, a folder of somebody else for example, have their own cure. */
const NO_REPOSITORY = /not a git repository|cannot change to/;
/** Of `git config --get` when there is no such setting. */
const NOT_SET = 1;
/** Of `git config --unset` when there is none. */
const NOTHING_TO_UNSET = 5;

export class GitConfig {
  readonly #env: Environment;
  readonly #scope: GitScope;

  constructor(env: Environment, scope: GitScope) {
    this.#env = env;
    this.#scope = scope;
  }

  /** Value in this scope alone; undefined when it is not set there. */
  get(name: string): string | undefined {
    return this.#run(['config', this.#level, '--get', name], NOT_SET)?.replace(/\n$/, '');
  }

  /** Value in force, wherever it is set. */
  inForce(name: string): string | undefined {
    return this.#run(['config', '--get', name], NOT_SET)?.replace(/\n$/, '');
  }

  /** Undefined removes the setting. */
  set(name: string, value: string | undefined): void {
    if (value === undefined) this.#run(['config', this.#level, '--unset', name], NOTHING_TO_UNSET);
    else this.#run(['config', this.#level, name, value]);
  }

  /** Top folder of the repository; undefined for the global scope. @throws AgentError `integrate.program` outside of one */
  repository(): string | undefined {
    if (this.#scope === 'global') return undefined;
    try {
      return this.#run(['rev-parse', '--show-toplevel'])?.trimEnd();
    } catch (cause) {
      if (!(cause instanceof AgentError) || !NO_REPOSITORY.test(cause.message)) throw cause;
      const hint = 'name a repository with --local DIR, or set git up for all of yours with --global';
      throw new AgentError(cause.code, { message: cause.message, hint, cause });
    }
  }

  get #level(): '--global' | '--local' {
    return this.#scope === 'global' ? '--global' : '--local';
  }

  /** Standard output; undefined for the exit status that means "not there". */
  #run(argv: readonly string[], notThere?: number): string | undefined {
    const where = this.#scope === 'global' ? [] : ['-C', this.#scope.folder];
    try {
      const options = { env: this.#env, encoding: 'utf8', timeout: GIT_MS, stdio: 'pipe' } as const;
      return execFileSync('git', [...where, ...argv], options);
    } catch (cause) {
      const { status, stderr } = cause as { readonly status?: number; readonly stderr?: string };
      if (notThere !== undefined && status === notThere) return undefined;
      const [said] = (stderr ?? '').trim().split('\n');
      throw new AgentError('integrate.program', {
        message: `running git ${argv.slice(0, 2).join(' ')}: ${said === undefined || said === '' ? 'it could not be run' : said}`,
        cause,
      });
    }
  }
}
