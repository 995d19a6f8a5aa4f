/** A folder read into facts. A file that cannot be read is a failed check with the name of that file's check, not the end of the program. */
import { createHash } from 'node:crypto';
import { asAgentError } from '../errors/agent-error.js';
import { fail, pass, type CheckName, type CheckResult } from './checks/check.js';
import { openDocument } from './document.js';
import { readEnrolment, type Enrolment } from './enrolment.js';
import { certifiersOf, holdersOf, type CeremonyFacts, type DocumentFacts } from './facts.js';
import {
  baseFile,
  enrolmentFile,
  isSignatureFile,
  MANIFEST_FILE,
  POLICY_FILE,
  PREVIOUS_FILE,
  REQUEST_FILE,
  signatureFile,
  transcriptFile,
} from './file-names.js';
import type { CeremonyFolder } from './folder.js';
import type { Manifest } from './manifest.js';
import { sha256Hex, type Loaded } from './one-form.js';
import { readPolicy, type CeremonyPolicy } from './policy.js';
import { readRequest, type CeremonyRequest, type RequestDocument } from './request.js';
import { readSignatureFile, type SignatureFile } from './signature-file.js';
import { readSignedFile, type SignedFile } from './signed-file.js';
import { readTranscript } from './transcript.js';

const LINE_FEED = 0x0a;
/** More roots than a client walks are not carried in. */
const MAX_BASES = 256;

export interface LoadedFolder {
  /** Undefined when something that everything else needs cannot be read. */
  readonly facts: CeremonyFacts | undefined;
  /** Of the files themselves. */
  readonly results: readonly CheckResult[];
}

/** Reads everything. @param today the date that a person typed, `YYYY-MM-DD` */
export function loadFolder(folder: CeremonyFolder, today?: string): LoadedFolder {
  const loader = new FolderLoader(folder);
  const facts = loader.facts(today);
  return { facts, results: loader.results };
}

class FolderLoader {
  readonly #folder: CeremonyFolder;
  readonly #results: CheckResult[] = [];

  constructor(folder: CeremonyFolder) {
    this.#folder = folder;
  }

  get results(): readonly CheckResult[] {
    return this.#results;
  }

  facts(today: string | undefined): CeremonyFacts | undefined {
    this.#checkManifest();
    const request = this.#try('REQUEST-HASH', REQUEST_FILE, readRequest);
    const policy = this.#try('POLICY-HASH', POLICY_FILE, readPolicy);
    if (request === undefined || policy === undefined) return undefined;
    const enrolments = request.value.enrolments.flatMap(({ holder }) => this.#enrolment(holder) ?? []);
    const documents = request.value.documents.map((order) =>
      this.#document(order, request.value, policy.value),
    );
    if (!documents.every((one) => one !== undefined)) return undefined;
    const previous =
      this.#folder.read(PREVIOUS_FILE) === undefined
        ? undefined
        : this.#try('BASE-LATEST', PREVIOUS_FILE, readTranscript);
    this.#readTranscript(request.value.rehearsal);
    const holders = holdersOf(policy.value, enrolments);
    return {
      request,
      policy,
      enrolments,
      documents,
      signatures: this.#signatures(request.value.rehearsal),
      previous,
      today,
      holders,
    };
  }

  /** Every file that was carried in is the one that the manifest names. */
  #checkManifest(): void {
    const manifest = this.#attempt('MANIFEST-HASH', MANIFEST_FILE, () => this.#folder.manifest());
    if (manifest === undefined) return;
    const names = this.#folder.names();
    for (const name of new Set([...manifest.keys(), ...names])) this.#checkFile(name, manifest);
    if (this.#results.every(({ passed }) => passed)) {
      this.#results.push(pass('MANIFEST-HASH', '', `${manifest.size} files are those of the manifest`));
    }
  }

  #checkFile(name: string, manifest: Manifest): void {
    const check = checkOf(name);
    const named = manifest.get(name);
    const bytes = this.#attempt(check, name, () => this.#folder.read(name));
    if (bytes === undefined) {
      if (this.#results.at(-1)?.subject !== name) this.#results.push(fail(check, name, 'it is not there'));
    } else if (named === undefined && !isMadeInside(name)) {
      this.#results.push(fail('MANIFEST-HASH', name, 'the manifest does not name it'));
    } else if (named !== undefined && !isNamedBy(named, bytes, isGrowing(name))) {
      this.#results.push(fail(check, name, 'it is not the file that the manifest names'));
    }
  }

  #enrolment(holder: string): Loaded<Enrolment> | undefined {
    const file = enrolmentFile(holder);
    return this.#try('KEY-POP', file, (bytes) => readEnrolment(bytes, file));
  }

  #document(
    order: RequestDocument,
    request: CeremonyRequest,
    policy: CeremonyPolicy,
  ): DocumentFacts | undefined {
    const where = { ceremony: request.id, rehearsal: request.rehearsal };
    const base = this.#bases(order, (bytes) => readSignedFile(bytes, order, where));
    const proposed = this.#attempt('REQUEST-HASH', REQUEST_FILE, () => openDocument(order.signed, order));
    const root = { id: 'root', role: 'root', format: 'tuf' } as const;
    const authority =
      order.authority === null
        ? undefined
        : this.#try('BASE-HASH', baseFile(root, order.authority.version), (bytes) =>
            readSignedFile(bytes, root, where),
          );
    const certifiers = order.format === 'certificate' ? certifiersOf(policy, authority) : undefined;
    return base === undefined || proposed === undefined
      ? undefined
      : { order, base, proposed, authority, certifiers };
  }

  /** The base and whatever versions before it were carried in. */
  #bases(order: RequestDocument, read: (bytes: Buffer) => SignedFile): readonly SignedFile[] | undefined {
    if (order.base === null) return [];
    const files: SignedFile[] = [];
    for (let { version } = order.base; version >= 1 && files.length < MAX_BASES; version -= 1) {
      const name = baseFile(order, version);
      if (this.#folder.read(name) === undefined && version !== order.base.version) break;
      const file = this.#try('BASE-HASH', name, read);
      if (file === undefined) return undefined;
      files.unshift(file);
    }
    return files;
  }

  /** Each under its own name: another one would be in the way of the signature that the name is of. */
  #signatures(rehearsal: boolean): readonly Loaded<SignatureFile>[] {
    const names = this.#folder.names().filter(isSignatureFile);
    return names.flatMap((name) => {
      const read = this.#try('SIGNATURE-VALID', name, (bytes) => readSignatureFile(bytes, name));
      if (read === undefined || signatureFile(read.value, rehearsal) === name) return read ?? [];
      this.#results.push(fail('SIGNATURE-VALID', name, 'it has to be called as its key and document say'));
      return [];
    });
  }

  #readTranscript(rehearsal: boolean): void {
    const name = transcriptFile(rehearsal);
    if (this.#folder.read(name) !== undefined) this.#try('TRANSCRIPT-CHAIN', name, readTranscript);
  }

  #try<T>(check: CheckName, name: string, read: (bytes: Buffer) => T): T | undefined {
    return this.#attempt(check, name, () => read(this.#folder.require(name)));
  }

  #attempt<T>(check: CheckName, subject: string, act: () => T): T | undefined {
    try {
      return act();
    } catch (thrown) {
      this.#results.push(fail(check, subject, asAgentError(thrown).message));
      return undefined;
    }
  }
}

/** The check that is named for a file. */
function checkOf(name: string): CheckName {
  if (name === REQUEST_FILE) return 'REQUEST-HASH';
  if (name === POLICY_FILE) return 'POLICY-HASH';
  if (name === PREVIOUS_FILE) return 'BASE-LATEST';
  if (name.startsWith('base/')) return 'BASE-HASH';
  if (name.startsWith('enrol-')) return 'KEY-POP';
  if (name.startsWith('out/')) return 'OUTPUT-REPRODUCED';
  if (isSignatureFile(name)) return 'SIGNATURE-VALID';
  return isGrowing(name) ? 'TRANSCRIPT-CHAIN' : 'MANIFEST-HASH';
}

/** Whether these are the bytes of the manifest; a transcript may have gone on since, and its chain covers that. */
function isNamedBy(hash: string, bytes: Buffer, isGrowing: boolean): boolean {
  if (sha256Hex(bytes) === hash) return true;
  if (!isGrowing) return false;
  const running = createHash('sha256');
  for (let start = 0, end = bytes.indexOf(LINE_FEED) + 1; end > start;) {
    running.update(bytes.subarray(start, end));
    if (running.copy().digest('hex') === hash) return true;
    start = end;
    end = bytes.indexOf(LINE_FEED, start) + 1;
  }
  return false;
}

/** Transcripts have a chain of their own. */
function isGrowing(name: string): boolean {
  return name === transcriptFile(false) || name === transcriptFile(true);
}

/** What comes to be in the room, after the manifest was made. */
function isMadeInside(name: string): boolean {
  return isSignatureFile(name) || isGrowing(name) || name.startsWith('out/');
}
