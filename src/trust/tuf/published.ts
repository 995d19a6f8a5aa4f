/** The lists over everything else: the newest snapshot that is signed, and the timestamp that says which one readers take. */
import { TIMESTAMP_FILE, versionedFile, type TufFolder } from './folder.js';
import { readSignedFile, type RootFile, type SnapshotFile, type TimestampFile } from './signed-file.js';
import { tolerant, type TufState } from './state.js';

export interface PublishedLists {
  readonly timestamp: TimestampFile | undefined;
  readonly snapshot: SnapshotFile | undefined;
}

/** Versions that are looked at. */
const MAX_TRIES = 32;

/** Each of them undefined when it is not there, or does not carry its signatures: the publisher makes another one. */
export function readPublished(folder: TufFolder, root: RootFile): PublishedLists {
  const { keys, roles } = root.document;
  const timestamp = tolerant(() => {
    const bytes = folder.read(TIMESTAMP_FILE, 'timestamp');
    const members = { keys, role: roles.timestamp };
    return bytes === undefined
      ? undefined
      : readSignedFile(bytes, { role: 'timestamp', type: 'timestamp', members });
  });
  const members = { keys, role: roles.snapshot };
  for (const version of (folder.versions().get('snapshot') ?? []).slice(0, MAX_TRIES)) {
    const snapshot = tolerant(() => {
      const bytes = folder.read(versionedFile('snapshot', version), 'snapshot');
      return bytes === undefined
        ? undefined
        : readSignedFile(bytes, { role: 'snapshot', type: 'snapshot', members });
    });
    if (snapshot?.document.version === version) return { timestamp, snapshot };
  }
  return { timestamp, snapshot: undefined };
}

/** Whether the snapshot lists exactly the newest of every role. */
export function isListed({ snapshot }: PublishedLists, { roles }: TufState): boolean {
  if (snapshot === undefined) return false;
  const { meta } = snapshot.document;
  return [...roles.values()].every(
    ({ name, newest }) =>
      newest === undefined || meta.get(`${name}.json`)?.version === newest.document.version,
  );
}

/** Whether readers get this snapshot. */
export function isCurrent({ timestamp, snapshot }: PublishedLists): boolean {
  const listed = timestamp?.document.meta.get('snapshot.json')?.version;
  return snapshot !== undefined && listed === snapshot.document.version;
}
