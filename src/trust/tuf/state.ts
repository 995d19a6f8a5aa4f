/**
 * What a publisher builds on: of each role the newest document in the folder that its keys have signed, whether or not a snapshot lists it
 * yet. So whatever an interrupted publish has written is there for the next one.
 */
import { AgentError } from '../../errors/agent-error.js';
import { versionedFile, type TufFolder } from './folder.js';
import { delegationsOf, keyRoleOf, type Delegation } from './roles.js';
import { readSignedFile, type RootFile, type TargetsFile } from './signed-file.js';

export interface RoleState extends Delegation {
  /** Role of the keys of an agent that sign for it. */
  readonly keyRole: string;
  /** The role that delegates to it; undefined for `targets`. */
  readonly delegator: string | undefined;
  /** Undefined when no document of it carries the signatures that it needs. */
  readonly newest: TargetsFile | undefined;
  /** Whether the newest is not in the folder of the metadata yet. */
  readonly isNew: boolean;
}

export interface TufState {
  readonly root: RootFile;
  /** `targets` first, then what is delegated, level by level. */
  readonly roles: ReadonlyMap<string, RoleState>;
}

/** A document that is not published. */
export interface Candidate {
  readonly role: string;
  readonly version: number;
  readonly bytes: Buffer;
}

/** Files of one role that are looked at: whoever fills a folder with rubbish must not make this slow. */
const MAX_TRIES = 32;

/** @param candidates documents that count as if they were published; those without their signatures do not count */
export function loadState(
  folder: TufFolder,
  root: RootFile,
  candidates: readonly Candidate[] = [],
): TufState {
  const versions = folder.versions();
  const waiting = new Map<string, Candidate[]>();
  for (const one of candidates) waiting.set(one.role, [...(waiting.get(one.role) ?? []), one]);
  const { keys, roles: top } = root.document;
  const roles = new Map<string, RoleState>();
  let level: (Delegation & { readonly delegator?: string })[] = [
    { name: 'targets', keys, role: top.targets },
  ];
  while (level.length > 0) {
    const below: typeof level = [];
    for (const { delegator, ...one } of level) {
      if (roles.has(one.name)) continue;
      const source = { folder, versions: versions.get(one.name) ?? [], waiting: waiting.get(one.name) ?? [] };
      const state = { ...one, keyRole: keyRoleOf(one), delegator, ...newestOf(one, source) };
      roles.set(one.name, state);
      if (state.newest === undefined) continue;
      for (const each of delegationsOf(state.newest.document)) below.push({ ...each, delegator: one.name });
    }
    level = below;
  }
  return { root, roles };
}

interface Source {
  readonly folder: TufFolder;
  /** In the folder, newest first. */
  readonly versions: readonly number[];
  readonly waiting: readonly Candidate[];
}

function newestOf(
  { name, keys, role }: Delegation,
  { folder, versions, waiting }: Source,
): Pick<RoleState, 'newest' | 'isNew'> {
  const all = [
    ...versions.map((version) => ({ version, bytes: undefined })),
    ...waiting.map(({ version, bytes }) => ({ version, bytes })),
  ].sort((a, b) => b.version - a.version);
  for (const { version, bytes } of all.slice(0, MAX_TRIES)) {
    const demand = { role: name, type: 'targets', members: { keys, role } } as const;
    const found = tolerant(() => {
      const file = bytes ?? folder.read(versionedFile(name, version), 'targets');
      return file === undefined ? undefined : readSignedFile(file, demand);
    });
    if (found?.document.version === version) return { newest: found, isNew: bytes !== undefined };
  }
  return { newest: undefined, isNew: false };
}

/** Undefined where a file is not what it should be. */
export function tolerant<T>(read: () => T | undefined): T | undefined {
  try {
    return read();
  } catch (cause) {
    if (cause instanceof AgentError) return undefined;
    throw cause;
  }
}
