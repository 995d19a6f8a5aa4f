/** A repository as a client walks it, from a root that is trusted to every target. */
import { asAgentError, AgentError } from '../../errors/agent-error.js';
import { isExpired } from '../../formats/tuf/expiry.js';
import { TIMESTAMP_FILE, versionedFile, type TufFolder } from './folder.js';
import { newestRoot } from './root-walk.js';
import { delegationsOf, keyRoleOf, type Delegation, type TufMembers } from './roles.js';
import {
  readSignedFile,
  type Demand,
  type SignedFile,
  type RootFile,
  type SnapshotFile,
  type TargetsFile,
} from './signed-file.js';
import type { TufDocumentOf, TufType } from '../../formats/tuf/document.js';

/** A file that readers get. */
export interface ViewedFile {
  readonly role: string;
  /** Role of the keys of an agent that sign for it. */
  readonly keyRole: string;
  /** The role that names its keys. */
  readonly delegator: string | undefined;
  readonly file: SignedFile;
  readonly members: TufMembers;
  /** Whether it has expired by the time of the view. */
  readonly isExpired: boolean;
}

export interface TufView {
  /** Root, timestamp, snapshot, targets, and what is delegated, in the order in which they are read. */
  readonly files: readonly ViewedFile[];
  /** Why a role cannot be read; what comes after it is not read either. */
  readonly faults: ReadonlyMap<string, AgentError>;
}

/**
 * Reads everything that the snapshot lists and somebody delegates. A client would stop at the first fault; here all of them are found.
 * @param trusted file of a root that somebody compared
 * @param nowMs expiry is judged as of this time, milliseconds
 */
export function readView(folder: TufFolder, trusted: Buffer, nowMs = Date.now()): TufView {
  return new ViewReader(folder, nowMs).read(trusted);
}

class ViewReader {
  readonly #folder: TufFolder;
  readonly #now: Date;
  readonly #files: ViewedFile[] = [];
  readonly #faults = new Map<string, AgentError>();

  constructor(folder: TufFolder, nowMs: number) {
    this.#folder = folder;
    this.#now = new Date(nowMs);
  }

  read(trusted: Buffer): TufView {
    const root = this.#try('root', () => newestRoot(this.#folder, trusted));
    if (root !== undefined) {
      const { keys, roles } = root.document;
      this.#keep(root, { keyRole: 'root', delegator: undefined, members: { keys, role: roles.root } });
      this.#lists(root);
    }
    return { files: this.#files, faults: this.#faults };
  }

  #lists(root: RootFile): void {
    const { keys, roles } = root.document;
    const timestamp = this.#file(TIMESTAMP_FILE, {
      role: 'timestamp',
      type: 'timestamp',
      members: { keys, role: roles.timestamp },
    });
    const meta = timestamp?.document.meta.get('snapshot.json');
    if (timestamp === undefined) return;
    this.#keep(timestamp, {
      keyRole: 'timestamp',
      delegator: 'root',
      members: { keys, role: roles.timestamp },
    });
    if (meta === undefined) {
      this.#faults.set(
        'snapshot',
        new AgentError('tuf.document', { message: 'reading timestamp: it lists no snapshot' }),
      );
      return;
    }
    const snapshot = this.#file(versionedFile('snapshot', meta.version), {
      role: 'snapshot',
      type: 'snapshot',
      members: { keys, role: roles.snapshot },
      meta,
    });
    if (snapshot === undefined) return;
    this.#keep(snapshot, { keyRole: 'snapshot', delegator: 'root', members: { keys, role: roles.snapshot } });
    this.#roles(snapshot, { name: 'targets', keys, role: roles.targets });
  }

  #roles(snapshot: SnapshotFile, first: Delegation): void {
    const seen = new Set<string>();
    let level: { readonly one: Delegation; readonly delegator: string }[] = [
      { one: first, delegator: 'root' },
    ];
    while (level.length > 0) {
      const below: typeof level = [];
      for (const { one, delegator } of level) {
        if (seen.has(one.name)) continue;
        seen.add(one.name);
        const file = this.#role(snapshot, one);
        if (file === undefined) continue;
        this.#keep(file, { keyRole: keyRoleOf(one), delegator, members: { keys: one.keys, role: one.role } });
        const found = this.#try(one.name, () => delegationsOf(file.document)) ?? [];
        for (const each of found) below.push({ one: each, delegator: one.name });
      }
      level = below;
    }
  }

  #role(snapshot: SnapshotFile, { name, keys, role }: Delegation): TargetsFile | undefined {
    const meta = snapshot.document.meta.get(`${name}.json`);
    if (meta === undefined) {
      this.#faults.set(
        name,
        new AgentError('tuf.document', { message: `reading ${name}: the snapshot does not list it` }),
      );
      return undefined;
    }
    return this.#file(versionedFile(name, meta.version), {
      role: name,
      type: 'targets',
      members: { keys, role },
      meta,
    });
  }

  #file<K extends TufType>(name: string, demand: Demand<K>): SignedFile<TufDocumentOf<K>> | undefined {
    return this.#try(demand.role, () => {
      const bytes = this.#folder.read(name, demand.type);
      if (bytes !== undefined) return readSignedFile(bytes, demand);
      throw new AgentError('tuf.document', { message: `reading ${demand.role}: there is no ${name}` });
    });
  }

  #keep(file: SignedFile, facts: Pick<ViewedFile, 'keyRole' | 'delegator' | 'members'>): void {
    this.#files.push({ ...facts, role: file.role, file, isExpired: isExpired(file.document, this.#now) });
  }

  #try<T>(role: string, read: () => T): T | undefined {
    try {
      return read();
    } catch (cause) {
      this.#faults.set(role, asAgentError(cause));
      return undefined;
    }
  }
}
