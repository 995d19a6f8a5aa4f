/** Images judged by the team rule, on what a trust server says now, or lately, or on a saved copy while it cannot be reached. */
import { homedir } from 'node:os';
import { dirname, isAbsolute, join } from 'node:path';
import { AgentError, asAgentError } from '../../errors/agent-error.js';
import type { ErrorCode } from '../../errors/codes.js';
import { canonicalKeyId } from '../../formats/notary1/key.js';
import { readTrustedFile } from '../../platform/store/trusted-file.js';
import type { Collection } from '../../trust/collection.js';
import { FolderMemory } from '../../trust/folder-memory.js';
import { judgeImage } from '../../trust/image-judgement.js';
import type { MetadataSource } from '../../trust/metadata-source.js';
import { loadPins } from '../../trust/pin-file.js';
import { SavedCopy } from '../../trust/saved-copy.js';
import { TrustServer } from '../../trust/server.js';
import { readSignerKey } from '../../trust/signer-key-file.js';
import { decideByTeams } from '../../trust/team-decision.js';
import { parseTeamPolicy, type TeamPolicy } from '../../trust/team-policy.js';
import { updateCollection } from '../../trust/update.js';
import type { DockerAuthzConfig } from './config.js';
import type { ImageJudge, ImageQuestion, ImageVerdict } from './image-judge.js';

interface Kept {
  readonly collection: Collection;
  readonly readAt: number;
}

/** Only these mean that nobody answered; everything else is an answer that does not verify. */
const AWAY: readonly ErrorCode[] = ['notary.unreachable', 'limits.deadline'];

export class TrustJudge implements ImageJudge {
  readonly #config: DockerAuthzConfig;
  readonly #uid: number;
  readonly #kept = new Map<string, Kept>();
  readonly #reading = new Map<string, Promise<Collection>>();

  /** @param uid whose files are believed, besides root's */
  constructor(config: DockerAuthzConfig, uid: number) {
    this.#config = config;
    this.#uid = uid;
  }

  /** Reads the policy as it stands. @throws AgentError `notary.policy`, `usage.file` */
  policy(): TeamPolicy {
    const file = this.#config.policy;
    return parseTeamPolicy(this.#text(file), file, (named) => {
      const path = isAbsolute(named) ? named : join(dirname(file), named);
      return canonicalKeyId(readSignerKey(this.#text(path), path));
    });
  }

  async judge(question: ImageQuestion): Promise<ImageVerdict> {
    const { timeoutMs } = this.#config;
    const late = new AgentError('limits.deadline', {
      message: `the trust server gave no answer within ${timeoutMs / 1000} s`,
    });
    let timer: NodeJS.Timeout | undefined;
    const end = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => {
        reject(late);
      }, timeoutMs);
    });
    try {
      return await Promise.race([this.#judge(question), end]);
    } catch (thrown) {
      const error = asAgentError(thrown);
      return { allowed: false, reason: error.message };
    } finally {
      clearTimeout(timer);
    }
  }

  async #judge({ repository, tag, digest }: ImageQuestion): Promise<ImageVerdict> {
    const { environment } = this.#config;
    const policy = this.policy();
    // Nobody makes us ask a server about a repository that no rule is for.
    const without = decideByTeams(policy, { environment, repository, approvals: [] });
    if (without.rule === undefined) return { allowed: false, reason: without.reason };
    const collection = await this.#collection(repository);
    const judged = judgeImage(collection, { tag, digest, environment }, policy);
    if (judged.outcome === 'unsigned') return { allowed: false, reason: judged.reason };
    return {
      allowed: judged.outcome === 'allowed',
      digest: judged.signed.digest,
      reason: judged.reason,
    };
  }

  #collection(repository: string): Promise<Collection> {
    const kept = this.#kept.get(repository);
    const age = kept === undefined ? Number.NaN : Date.now() - kept.readAt;
    if (kept !== undefined && age >= 0 && age < this.#config.cacheMs) return Promise.resolve(kept.collection);
    const reading = this.#reading.get(repository) ?? this.#read(repository);
    this.#reading.set(repository, reading);
    return reading;
  }

  async #read(repository: string): Promise<Collection> {
    try {
      const collection = await this.#readAnywhere(repository);
      this.#kept.set(repository, { collection, readAt: Date.now() });
      return collection;
    } catch (thrown) {
      this.#kept.delete(repository);
      throw thrown;
    } finally {
      this.#reading.delete(repository);
    }
  }

  async #readAnywhere(repository: string): Promise<Collection> {
    const { server, caFile, plainHttp, timeoutMs } = this.#config;
    const copy = this.#copyOf(repository);
    try {
      const source = new TrustServer(repository, {
        env: process.env,
        home: homedir(),
        server,
        ca: caFile === undefined ? undefined : this.#text(caFile),
        plainHttp,
        // Leaves time for the copy.
        deadline: Date.now() + timeoutMs * 0.8,
      });
      return await this.#verified(source);
    } catch (thrown) {
      const isAway = AWAY.includes(asAgentError(thrown).code);
      if (copy === undefined || !isAway) throw thrown;
      return await this.#verified(copy);
    }
  }

  #verified(source: MetadataSource): Promise<Collection> {
    const { trustDir, firstUse } = this.#config;
    return updateCollection(source, {
      pins: loadPins(trustDir, this.#uid, firstUse),
      memory: new FolderMemory(trustDir),
      nowMs: Date.now(),
    });
  }

  #copyOf(repository: string): SavedCopy | undefined {
    for (const folder of this.#config.savedCopies) {
      const copy = SavedCopy.open(folder);
      if (copy.repository === repository) return copy;
    }
    return undefined;
  }

  #text(path: string): string {
    const text = readTrustedFile(path, this.#uid, 'config.invalid');
    if (text !== undefined) return text;
    throw new AgentError('usage.file', { message: `reading ${path}: there is no such file` });
  }
}
