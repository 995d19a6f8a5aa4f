/** Snapshots and timestamps, where their keys are within reach. */
import type { TufFileMeta, TufSnapshot, TufTimestamp } from '../../formats/tuf/document.js';
import { SPEC_VERSION } from '../../formats/tuf/document.js';
import type { TufFolder } from './folder.js';
import {
  expiryOf,
  openSignatures,
  pendingBytes,
  signatureState,
  withSignatures,
  type Pending,
} from './pending.js';
import { isCurrent, isListed, readPublished } from './published.js';
import type { TufWaiting } from './publisher.js';
import type { TufDays } from './settings.js';
import {
  fileMetaOf,
  readSignedFile,
  type RootFile,
  type SnapshotFile,
  type TimestampFile,
} from './signed-file.js';
import type { HeldKey, TufSigner } from './signer.js';
import type { TufState } from './state.js';
import type { VersionCounter } from './version-counter.js';
import type { World } from './world.js';

/** `timestamp` renews the timestamp, `snapshot` both. */
export type ListsWanted = 'snapshot' | 'timestamp';

interface ListParts {
  readonly folder: TufFolder;
  readonly signer: TufSigner;
  readonly days: TufDays;
  readonly held: readonly HeldKey[];
  readonly versions: VersionCounter;
  readonly nowMs: number;
}

interface MadeLists {
  readonly snapshot?: SnapshotFile | undefined;
  readonly timestamp?: TimestampFile | undefined;
  /** Whose keys are elsewhere. */
  readonly missing: readonly TufWaiting[];
}

export class ListMaker {
  readonly #parts: ListParts;

  constructor(parts: ListParts) {
    this.#parts = parts;
  }

  /** What has to be new for readers to see this world. */
  async make(
    { state }: World,
    before: TufState | undefined,
    renew: ListsWanted | undefined,
  ): Promise<MadeLists> {
    const { folder } = this.#parts;
    const { root } = state;
    const lists = readPublished(folder, root);
    const isSnapshotDue = renew === 'snapshot' || !isListed(lists, state);
    // A new root may have taken the signatures of the old snapshot away: what it listed stays listed.
    const earlier =
      lists.snapshot ?? (before === undefined ? undefined : readPublished(folder, before.root).snapshot);
    const snapshot = isSnapshotDue ? await this.#snapshot(state, earlier) : lists.snapshot;
    if (snapshot === undefined) return { missing: [this.#missing('snapshot', root)] };
    const made = isSnapshotDue ? snapshot : undefined;
    if (!isSnapshotDue && renew === undefined && isCurrent(lists)) return { missing: [] };
    const timestamp = await this.#timestamp(root, snapshot);
    if (timestamp === undefined) return { snapshot: made, missing: [this.#missing('timestamp', root)] };
    return { snapshot: made, timestamp, missing: [] };
  }

  async #snapshot(
    { root, roles }: TufState,
    earlier: SnapshotFile | undefined,
  ): Promise<SnapshotFile | undefined> {
    const meta = new Map<string, TufFileMeta>(earlier?.document.meta);
    for (const { name, newest } of roles.values()) {
      if (newest !== undefined) meta.set(`${name}.json`, fileMetaOf(newest));
    }
    const pending = this.#pending(root, 'snapshot', meta);
    const bytes = await this.#signed(pending);
    const [members] = pending.members;
    if (bytes === undefined || members === undefined) return undefined;
    return readSignedFile(bytes, { role: 'snapshot', type: 'snapshot', members });
  }

  async #timestamp(root: RootFile, snapshot: SnapshotFile): Promise<TimestampFile | undefined> {
    const pending = this.#pending(root, 'timestamp', new Map([['snapshot.json', fileMetaOf(snapshot)]]));
    const bytes = await this.#signed(pending);
    const [members] = pending.members;
    if (bytes === undefined || members === undefined) return undefined;
    return readSignedFile(bytes, { role: 'timestamp', type: 'timestamp', members });
  }

  #pending(root: RootFile, type: ListsWanted, meta: ReadonlyMap<string, TufFileMeta>): Pending {
    const { days, nowMs, versions } = this.#parts;
    const document: TufSnapshot | TufTimestamp = {
      type,
      specVersion: SPEC_VERSION,
      version: versions.next(type),
      expires: expiryOf(type, days, nowMs),
      raw: {},
      meta,
    };
    const members = [{ keys: root.document.keys, role: root.document.roles[type] }];
    return { role: type, keyRole: type, document, signatures: [], members };
  }

  /** The file, when the keys within reach are enough; otherwise nothing is signed. */
  async #signed(pending: Pending): Promise<Buffer | undefined> {
    const { held, signer } = this.#parts;
    const open = openSignatures(pending, held);
    if (open.length < (pending.members[0]?.role.threshold ?? 1)) return undefined;
    const made = await signer.sign(open.map(({ order }) => order));
    const signatures = open.map(({ keyid }, at) => ({ keyid, sig: made[at] ?? '' }));
    const complete = withSignatures(pending, signatures);
    return signatureState(complete).isMet ? pendingBytes(complete) : undefined;
  }

  #missing(role: ListsWanted, { document }: RootFile): TufWaiting {
    const { threshold } = document.roles[role];
    return { role, version: null, good: 0, threshold, file: null };
  }
}
