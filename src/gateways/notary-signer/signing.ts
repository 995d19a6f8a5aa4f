/**
 * One signature for a server. A server signs before it stores: when two people publish at once, or its database fails, it asks for other
 * content of a version that is signed already. That it asks for version N says that N is not stored, and with an address of the server we
 * look ourselves. The agent decides; each content of a version stands in its log.
 */
import { AgentError } from '../../errors/agent-error.js';
import { describe } from '../../formats/describe.js';
import type { Result } from '../../protocol/methods.js';
import type { AgentLine } from './agent-line.js';
import type { Note } from './note.js';
import type { ServerKey } from './server-key.js';
import type { StoredDocuments } from './stored-documents.js';

/** More than the contents that the agent lets one version have. */
const MAX_TRIES = 10;
/** The agent answers, or says why not, before we stop waiting. Milliseconds. */
const REPLY_MS = 1_000;

export interface SigningParts {
  readonly line: AgentLine;
  /** Undefined when nobody said where the notary-server is. */
  readonly stored: StoredDocuments | undefined;
  readonly note: Note;
}

interface Job {
  readonly key: ServerKey;
  readonly kind: string;
  readonly content: Buffer;
  readonly version: number;
  /** Milliseconds since 1970. */
  readonly deadline: number;
}

type GuardEntry = Result<'guard.show'>['entries'][number];

export class Signing {
  readonly #parts: SigningParts;

  constructor(parts: SigningParts) {
    this.#parts = parts;
  }

  /**
   * Signs the canonical JSON of a document of the key's role: r||s for ECDSA, 64 bytes for Ed25519.
   * @throws AgentError `statement.unrecognised`, `guard.…`, `notary.…` and of the agent
   */
  async sign(
    key: ServerKey,
    content: Buffer,
    timeoutMs: number,
  ): Promise<{ version: number; signature: Buffer }> {
    const kind = `notary.${key.role}`;
    const { document } = describe(kind, content);
    const version = document?.version ?? 0;
    const job: Job = { key, kind, content, version, deadline: Date.now() + timeoutMs };
    await this.#tellPublished(job);
    let notStored: string | undefined;
    for (let tries = 1; ; tries += 1) {
      try {
        return { version, signature: await this.#order(job, notStored) };
      } catch (thrown) {
        const other = tries < MAX_TRIES ? await this.#otherContent(job, thrown) : undefined;
        // Nothing new since the last try: that is the agent's last word.
        if (other === undefined || other === notStored) throw thrown;
        notStored = other;
      }
    }
  }

  async #order({ key, kind, content, deadline }: Job, notStored: string | undefined): Promise<Buffer> {
    const payload = content.toString('base64');
    const other = notStored === undefined ? {} : { notStored };
    const timeoutMs = Math.max(1, deadline - Date.now() - REPLY_MS);
    const params = { requests: [{ key: key.name, kind, payload, ...other }], timeoutMs };
    const { signatures } = await this.#parts.line.call('sign', params, timeoutMs + REPLY_MS);
    const [signed] = signatures;
    if (signed?.keyId !== key.keyId) {
      throw new AgentError('key.retired', { message: `${key.name} is another key than a moment ago` });
    }
    return Buffer.from(signed.signature, 'base64');
  }

  /** The content that this version was signed with and that is not stored; undefined when that is not what went wrong. */
  async #otherContent(job: Job, thrown: unknown): Promise<string | undefined> {
    if (!(thrown instanceof AgentError) || thrown.code !== 'guard.conflict') return undefined;
    const { signed } = (await this.#entry(job)) ?? {};
    if (signed?.version !== job.version) return undefined;
    const { note, stored } = this.#parts;
    if (stored !== undefined) await this.#requireAbsent(job, stored);
    const { key, version } = job;
    note('second content', {
      key: key.name,
      version,
      notStored: signed.sha256,
      server: stored === undefined ? 'says so' : 'asked',
    });
    return signed.sha256;
  }

  /** @throws AgentError `guard.version` when the server has the version after all, `notary.…` when it cannot be asked */
  async #requireAbsent(job: Job, stored: StoredDocuments): Promise<void> {
    const { repository, role } = job.key;
    const sha256 = await stored.sha256Of(repository, role, job.version, leftOf(job));
    if (sha256 === undefined) return;
    await this.#parts.line.call(
      'guard.published',
      { repository, role, version: job.version, sha256 },
      leftOf(job),
    );
    throw new AgentError('guard.version', {
      message: `version ${job.version} of ${job.key.name} is stored at the server already`,
      hint: 'publish again: the server will ask for the next version',
    });
  }

  /** What the server shows as stored is published from now on. It only makes the guard know more, so trouble with it ends nothing. */
  async #tellPublished(job: Job): Promise<void> {
    const { line, stored, note } = this.#parts;
    if (stored === undefined) return;
    const { repository, role, name } = job.key;
    try {
      const { signed } = (await this.#entry(job)) ?? {};
      if (signed === undefined || signed === null || signed.version >= job.version) return;
      const { version } = signed;
      const sha256 = await stored.sha256Of(repository, role, version, leftOf(job) / 2);
      if (sha256 === undefined) return;
      const { matched } = await line.call(
        'guard.published',
        { repository, role, version, sha256 },
        leftOf(job),
      );
      note('published', { key: name, version, matched });
    } catch (thrown) {
      if (!(thrown instanceof AgentError)) throw thrown;
      note('the server could not be asked', { key: name, code: thrown.code, reason: thrown.message });
    }
  }

  async #entry(job: Job): Promise<GuardEntry | undefined> {
    const { repository, role } = job.key;
    const { entries } = await this.#parts.line.call('guard.show', { repository, role }, leftOf(job));
    return entries[0];
  }
}

function leftOf({ deadline }: Job): number {
  return Math.max(1, deadline - Date.now());
}
