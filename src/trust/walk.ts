/** From a trusted root down: timestamp, snapshot, targets, and delegations depth first, each by the checksum that stands above it. */
import { AgentError } from '../errors/agent-error.js';
import type {
  FileMeta,
  NotaryDocument,
  RoleKeys,
  RootDocument,
  SnapshotDocument,
  TargetsDocument,
} from '../formats/notary1/document.js';
import type { NotaryKey } from '../formats/notary1/key.js';
import { readEnvelope, type SignedDocument } from '../formats/notary1/reader.js';
import { signersOf } from '../formats/notary1/signature.js';
import { grantsIn, type Collection, type DelegationFault, type Grant } from './collection.js';
import {
  checkFile,
  checkSignatures,
  checkVersion,
  expiredError,
  isExpired,
  seenFile,
  wrongFile,
} from './file-check.js';
import type { SeenFile } from './memory.js';
import { MAX_METADATA_BYTES, type MetadataSource } from './metadata-source.js';
import { LAST_VERSION, versionIn } from './stored-version.js';

export interface WalkCircumstances {
  readonly seen: ReadonlyMap<string, SeenFile>;
  readonly nowMs: number;
  /** For whoever renews what has expired. */
  readonly tolerateExpired: boolean;
}

export interface WalkResult {
  readonly view: Pick<
    Collection,
    'timestamp' | 'snapshot' | 'targets' | 'delegations' | 'faults' | 'expired' | 'warnings'
  >;
  /** What was seen, by role. */
  readonly seen: ReadonlyMap<string, SeenFile>;
}

/** No honest repository has more; each costs a request. */
const MAX_DELEGATIONS = 1_000;
/** What one signer may add below their own delegation: a key of theirs must not cost every reader time and memory without end. */
const MAX_NESTED = 100;
/** Of a signer's delegation and all below it, bytes. */
const MAX_BRANCH_BYTES = MAX_METADATA_BYTES;

/**
 * Reads and verifies everything below a root.
 * @throws AgentError `notary.missing`, `notary.checksum`, `notary.threshold`, `notary.expired`, `notary.rollback`, `notary.document`; an
 *   expired, under-signed or unreadable delegation is a fault in the view instead
 */
export function walk(
  source: MetadataSource,
  root: SignedDocument<RootDocument>,
  now: WalkCircumstances,
): Promise<WalkResult> {
  return new Walk(source, root, now).run();
}

type SignedTargets = SignedDocument<TargetsDocument>;
type LeftOut = Exclude<DelegationFault, { readonly problem: 'not-published' }>;

const WHY_LEFT_OUT: Readonly<Record<LeftOut['problem'], string>> = {
  expired: 'it has expired',
  'under-signed': 'not enough of the keys that it takes have signed it',
  unreadable: 'it cannot be read',
};

class Walk {
  readonly #source: MetadataSource;
  readonly #root: SignedDocument<RootDocument>;
  readonly #now: WalkCircumstances;
  readonly #seen = new Map<string, SeenFile>();
  readonly #expired: string[] = [];
  readonly #delegations = new Map<string, SignedTargets>();
  readonly #faults = new Map<string, DelegationFault>();
  readonly #warnings: string[] = [];
  #branchBytes = 0;

  constructor(source: MetadataSource, root: SignedDocument<RootDocument>, now: WalkCircumstances) {
    this.#source = source;
    this.#root = root;
    this.#now = now;
    this.#expireOrThrow('root', root.document);
  }

  async run(): Promise<WalkResult> {
    const { roles, keys } = this.#root.document;
    const file = await this.#source.fetch('timestamp');
    if (file === undefined) throw this.#missing('timestamp');
    const timestamp = readEnvelope(file, 'timestamp');
    this.#accept('timestamp', timestamp, roles.timestamp, keys);
    const snapshot = readEnvelope(
      await this.#listed('snapshot', timestamp.document.meta.get('snapshot')),
      'snapshot',
    );
    this.#accept('snapshot', snapshot, roles.snapshot, keys);
    const { meta } = snapshot.document;
    const listedRoot = meta.get('root');
    if (listedRoot === undefined) throw unlisted('root');
    checkFile('root', this.#root.file, listedRoot);
    const targets = readEnvelope(await this.#listed('targets', meta.get('targets')), 'targets');
    this.#accept('targets', targets, roles.targets, keys);
    await this.#descend(snapshot.document, targets.document);
    return {
      view: {
        timestamp,
        snapshot,
        targets,
        delegations: this.#delegations,
        faults: this.#faults,
        expired: this.#expired,
        warnings: this.#warnings,
      },
      seen: this.#seen,
    };
  }

  async #descend({ meta }: SnapshotDocument, targets: TargetsDocument): Promise<void> {
    const direct = grantsIn(targets, 'targets', ['']);
    if (direct.length > MAX_DELEGATIONS) {
      throw new AgentError('notary.document', {
        message: `reading ${this.#source.repository}: it has more than ${MAX_DELEGATIONS} delegations`,
      });
    }
    for (const grant of direct) await this.#branch(grant, meta);
  }

  /** A delegation of the owner and everything its signers delegate further. */
  async #branch(first: Grant, meta: SnapshotDocument['meta']): Promise<void> {
    this.#branchBytes = 0;
    const waiting = [first];
    let left = MAX_NESTED;
    for (let grant = waiting.shift(); grant !== undefined; grant = waiting.shift()) {
      const { name, paths } = grant.role;
      const document = await this.#delegation(grant, meta.get(name));
      if (document === undefined) continue;
      const below = grantsIn(document, name, paths);
      if (below.length > left)
        this.#warnings.push(`of what ${name} delegates further, only ${left} are read`);
      const read = below.slice(0, left);
      left -= read.length;
      waiting.unshift(...read);
    }
  }

  /** The document of a delegation, undefined when it does not count. */
  async #delegation({ role, keys }: Grant, meta: FileMeta | undefined): Promise<TargetsDocument | undefined> {
    const { name } = role;
    if (meta === undefined) {
      this.#faults.set(name, { problem: 'not-published' });
      if (this.#now.seen.has(name)) this.#warnings.push(`${name} is not on the server any more`);
      this.#keepSeen(name);
      return undefined;
    }
    const signed = await this.#readDelegation(name, meta);
    if (signed === undefined) return undefined;
    const count = signersOf(signed.signedBytes, signed.signatures, role.keyids, keys).length;
    if (count < role.threshold) {
      this.#leaveOut(name, { problem: 'under-signed', signed });
      return undefined;
    }
    this.#remember(name, signed, role);
    if (signed.document.version >= LAST_VERSION)
      this.#warnings.push(`${name} has the highest version there is: nothing can be signed in it any more`);
    if (isExpired(signed.document, this.#now.nowMs)) {
      if (!this.#now.tolerateExpired) {
        this.#leaveOut(name, { problem: 'expired', signed });
        return undefined;
      }
      this.#expired.push(name);
    }
    this.#delegations.set(name, signed);
    return signed.document;
  }

  /**
   * Undefined, and left out, for the listed file when it is no metadata, or too much of it: whoever holds a key of one delegation could otherwise end
   * all reading of the repository. A file that is not the listed one is an error, since anybody on the way could do that.
   */
  async #readDelegation(name: string, meta: FileMeta): Promise<SignedTargets | undefined> {
    this.#branchBytes += meta.length;
    if (this.#branchBytes > MAX_BRANCH_BYTES) return this.#unreadable(name, undefined);
    const file = await this.#listed(name, meta);
    try {
      return readEnvelope(file, 'targets');
    } catch (cause) {
      if (cause instanceof AgentError && cause.code === 'notary.document')
        return this.#unreadable(name, versionIn(file));
      throw cause;
    }
  }

  #unreadable(name: string, version: number | undefined): SignedTargets | undefined {
    this.#leaveOut(name, { problem: 'unreadable', version });
    return undefined;
  }

  #leaveOut(name: string, fault: LeftOut): void {
    this.#faults.set(name, fault);
    this.#keepSeen(name);
    this.#warnings.push(`${name} is left out, with every tag in it: ${WHY_LEFT_OUT[fault.problem]}`);
  }

  /** A delegation that is gone for one read must not come back older in the next. */
  #keepSeen(name: string): void {
    for (const [known, seen] of this.#now.seen) {
      const isMeant = known === name || known.startsWith(`${name}/`);
      if (isMeant && !this.#seen.has(known)) this.#seen.set(known, seen);
    }
  }

  /** A file by its checksum. */
  async #listed(role: string, meta: FileMeta | undefined): Promise<Buffer> {
    if (meta === undefined) throw unlisted(role);
    const { hashes, length } = meta;
    const file = await this.#source.fetch(role, { sha256: hashes.sha256, maxBytes: length });
    if (file === undefined) throw wrongFile(role);
    checkFile(role, file, meta);
    return file;
  }

  #accept(name: string, signed: SignedDocument, role: RoleKeys, keys: ReadonlyMap<string, NotaryKey>): void {
    checkSignatures(name, signed, role, keys);
    this.#remember(name, signed, role);
    this.#expireOrThrow(name, signed.document);
  }

  #remember(name: string, signed: SignedDocument, role: RoleKeys): void {
    const seen = seenFile(signed, role);
    checkVersion(name, seen, this.#now.seen.get(name));
    this.#seen.set(name, seen);
  }

  #expireOrThrow(name: string, document: NotaryDocument): void {
    if (!isExpired(document, this.#now.nowMs)) return;
    if (!this.#now.tolerateExpired) throw expiredError(name, document);
    this.#expired.push(name);
  }

  #missing(role: string): AgentError {
    return new AgentError('notary.missing', {
      message: `reading ${this.#source.repository}: the server has no ${role}`,
    });
  }
}

function unlisted(role: string): AgentError {
  return new AgentError('notary.document', {
    message: `reading the snapshot and the timestamp: they do not list ${role}`,
    details: { role },
  });
}
