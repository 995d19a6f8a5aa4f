/** Documents that keep every rule. */
import type { Json, TufFileType } from './case.js';
import { ALICE, BOB, CAROL, ONLINE, TEAM } from './fixed-key.js';

export const EXPIRES = '2041-01-02T03:04:05Z';
export const HASHES = { sha256: 'ab'.repeat(32), sha512: 'cd'.repeat(64) };

/** The `signed` part. */
export function baseDocument(type: TufFileType): Json {
  const common = { _type: type, spec_version: '1.0.31', version: 1, expires: EXPIRES };
  const online = { keyids: [ONLINE.id], threshold: 1 };
  switch (type) {
    case 'root':
      return {
        ...common,
        consistent_snapshot: true,
        keys: Object.fromEntries([ALICE, BOB, CAROL, ONLINE].map(({ id, key }) => [id, key])),
        roles: {
          root: { keyids: [ALICE.id, BOB.id, CAROL.id], threshold: 2 },
          targets: { ...online },
          snapshot: { ...online },
          timestamp: { ...online },
        },
      };
    case 'targets':
      return {
        ...common,
        targets: { 'tools/hello-1.0.tar.gz': { length: 42, hashes: { ...HASHES } } },
        delegations: {
          keys: { [TEAM.id]: TEAM.key },
          roles: [{ name: 'team', keyids: [TEAM.id], threshold: 1, paths: ['team/*'], terminating: true }],
        },
      };
    case 'snapshot':
      return { ...common, meta: { 'targets.json': { version: 1 }, 'team.json': { version: 1 } } };
    case 'timestamp':
      return { ...common, meta: { 'snapshot.json': { version: 1, length: 500, hashes: { ...HASHES } } } };
  }
}
