/**
 * The publish that is under way for a repository, on disk before anything is signed: what is killed in between is finished, or seen to be
 * overtaken, by the next command. A signature over a version is given once; only the same bytes get it again.
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { decodeBase64 } from '../encoding/base64.js';
import { parseJsonStrict } from '../encoding/json.js';
import { AgentError } from '../errors/agent-error.js';
import { isJsonObject } from '../formats/json-object.js';
import { writeFileAtomic } from '../platform/store/atomic-file.js';
import { readFileBounded } from '../platform/store/bounded-read.js';
import { FolderLock } from '../platform/store/folder-lock.js';
import { ensurePrivateFolder } from '../platform/store/private-folder.js';
import { fileNameOf } from './file-name.js';
import type { PendingDocument, PendingSignature } from './publication.js';

export interface PendingPublish {
  /** What it was for, in words: `sign v1`. */
  readonly words: string;
  /** RFC 3339. */
  readonly begun: string;
  /** Version on the server of each role of `documents` when it was made; 0 for a role that was not there. */
  readonly replaces: ReadonlyMap<string, number>;
  readonly documents: readonly PendingDocument[];
  /** Delegations that it removes. */
  readonly dropped: readonly string[];
  /** Whether a snapshot of ours goes with it. */
  readonly ownSnapshot: boolean;
}

const FORMAT = 'touchstone-trust-publish';
const MAX_BYTES = 256 * 1024 * 1024;
const LOCK_POLL_MS = 100;

export class Journal {
  readonly #folder: string;
  readonly #file: string;

  /** @param trustDir the folder of all trust data of this user */
  constructor(trustDir: string, repository: string) {
    this.#folder = join(trustDir, 'publishing', fileNameOf(repository, 0));
    this.#file = join(this.#folder, 'pending.json');
  }

  /** One publisher of a repository at a time. @throws AgentError `state.locked` when the other one does not end by `deadline` */
  async lock(deadline: number): Promise<FolderLock> {
    ensurePrivateFolder(this.#folder, 'state');
    for (;;) {
      try {
        return FolderLock.take(this.#folder);
      } catch (cause) {
        const isHeld = cause instanceof AgentError && cause.code === 'state.locked';
        if (!isHeld || Date.now() >= deadline) throw cause;
        await delay(LOCK_POLL_MS);
      }
    }
  }

  /** What was begun and not ended. @throws AgentError `notary.document` for a file that is none of ours, `usage.file` */
  read(): PendingPublish | undefined {
    const content = readFileBounded(this.#file, MAX_BYTES);
    return content === undefined ? undefined : readPending(content, this.#file);
  }

  write(pending: PendingPublish): void {
    const { words, begun, replaces, documents, dropped, ownSnapshot } = pending;
    const text = JSON.stringify({
      format: FORMAT,
      version: 1,
      words,
      begun,
      replaces: Object.fromEntries(replaces),
      dropped,
      ownSnapshot,
      documents: documents.map((one) => ({
        ...one,
        signedBytes: one.signedBytes.toString('base64'),
        ...(one.file === undefined ? {} : { file: one.file.toString('base64') }),
      })),
    });
    writeFileAtomic(this.#file, text);
  }

  /** Answers whether there was anything. */
  clear(): boolean {
    const wasThere = readFileBounded(this.#file, MAX_BYTES) !== undefined;
    rmSync(this.#file, { force: true });
    return wasThere;
  }
}

function readPending(content: Buffer, file: string): PendingPublish {
  const what = `reading ${file}`;
  const value = parseJsonStrict(content, what, 'notary.document');
  const invalid = new AgentError('notary.document', {
    message: `${what}: it is not a publish of this program`,
    hint: 'drop it with "touchstone trust reset REPOSITORY"',
  });
  if (!isJsonObject(value) || value['format'] !== FORMAT || value['version'] !== 1) throw invalid;
  const { words, begun, replaces, documents, dropped, ownSnapshot } = value;
  if (typeof words !== 'string' || typeof begun !== 'string' || !isJsonObject(replaces)) throw invalid;
  if (!Array.isArray(documents) || !isTexts(dropped) || typeof ownSnapshot !== 'boolean') throw invalid;
  const versions = Object.entries(replaces).map(([role, version]) => {
    if (typeof version !== 'number') throw invalid;
    return [role, version] as const;
  });
  return {
    words,
    begun,
    replaces: new Map(versions),
    documents: documents.map((one: unknown) => readDocument(one, what, invalid)),
    dropped,
    ownSnapshot,
  };
}

function readDocument(value: unknown, what: string, invalid: AgentError): PendingDocument {
  if (!isJsonObject(value)) throw invalid;
  const { role, kind, version, signedBytes, signatures, file } = value;
  if (typeof role !== 'string' || typeof kind !== 'string' || typeof version !== 'number') throw invalid;
  if (typeof signedBytes !== 'string' || !Array.isArray(signatures)) throw invalid;
  const bytes = (text: string): Buffer => decodeBase64(text, what, 'notary.document');
  return {
    role,
    kind,
    version,
    signedBytes: bytes(signedBytes),
    signatures: signatures.map((one: unknown) => readSignature(one, invalid)),
    ...(typeof file === 'string' ? { file: bytes(file) } : {}),
  };
}

function readSignature(value: unknown, invalid: AgentError): PendingSignature {
  const { keyid, method, key } = isJsonObject(value) ? value : {};
  if (typeof keyid !== 'string' || typeof method !== 'string' || typeof key !== 'string') throw invalid;
  return { keyid, method, key };
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((one) => typeof one === 'string');
}
