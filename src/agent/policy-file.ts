/**
 * The policy in force. Read at start, on SIGHUP and when the file changes; a file with a mistake changes nothing, the
 * mistake is told, and the policy before it stays.
 */
import { createHash } from 'node:crypto';
import { statSync } from 'node:fs';
import { AgentError, asAgentError } from '../errors/agent-error.js';
import { compilePolicy, type CompiledPolicy } from '../policy/decide.js';
import { DecisionCache } from '../policy/decision-cache.js';
import { readTrustedFile } from '../platform/store/trusted-file.js';
import { parsePolicy, type RuleLimits } from '../policy/document.js';

const LOOK_EVERY_MS = 1_000;
const NOTHING_ALLOWED = { version: 1, rules: [] } as const;

export class PolicyFile implements Disposable {
  readonly path: string;
  readonly #ownerUid: number;
  readonly #onChange: (problem: AgentError | undefined) => void;
  readonly #timer: NodeJS.Timeout;
  #policy: CompiledPolicy;
  #cache: DecisionCache;
  #limits: ReadonlyMap<string, RuleLimits> = new Map();
  #problem: AgentError | undefined;
  #stamp = '';
  #digest = '';

  constructor(path: string, ownerUid: number, onChange: (problem: AgentError | undefined) => void) {
    this.path = path;
    this.#ownerUid = ownerUid;
    this.#onChange = onChange;
    this.#policy = compilePolicy(NOTHING_ALLOWED, { ownerUid });
    this.#cache = new DecisionCache(this.#policy);
    this.reload();
    this.#timer = setInterval(() => {
      if (this.#readStamp() !== this.#stamp) this.reload();
    }, LOOK_EVERY_MS);
    this.#timer.unref();
  }

  get policy(): CompiledPolicy {
    return this.#policy;
  }

  get cache(): DecisionCache {
    return this.#cache;
  }

  /** Whether any rule in force has limits. */
  get hasLimits(): boolean {
    return this.#limits.size > 0;
  }

  limitsOf(rule: string): RuleLimits | undefined {
    return this.#limits.get(rule);
  }

  /** Hex SHA-256 of the text in force; empty while there is none. */
  get digest(): string {
    return this.#digest;
  }

  /** Why the file as it stands is not in force. */
  get problem(): AgentError | undefined {
    return this.#problem;
  }

  reload(): void {
    this.#stamp = this.#readStamp();
    try {
      const text = this.#read();
      const document = parsePolicy(text, this.path);
      this.#policy = compilePolicy(document, { ownerUid: this.#ownerUid });
      this.#cache = new DecisionCache(this.#policy);
      this.#limits = new Map(
        document.rules.flatMap(({ id, limits }) => (limits === undefined ? [] : [[id, limits] as const])),
      );
      this.#digest = createHash('sha256').update(text).digest('hex');
      this.#problem = undefined;
    } catch (thrown) {
      this.#problem = asAgentError(thrown);
    }
    this.#onChange(this.#problem);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  #read(): string {
    const text = readTrustedFile(this.path, this.#ownerUid, 'policy.invalid');
    if (text === undefined) throw new AgentError('policy.missing', { details: { file: this.path } });
    return text;
  }

  #readStamp(): string {
    try {
      const { mtimeMs, size, ino } = statSync(this.path);
      return `${mtimeMs} ${size} ${ino}`;
    } catch {
      return 'absent';
    }
  }
}
