/** A repository that is published with keys of the test in the place of an agent, and a guard that remembers what it was told. */
import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { AgentError } from '../../src/errors/agent-error.js';
import { TOP_ROLES } from '../../src/formats/tuf/document.js';
import { readSigned } from '../../src/formats/tuf/reader.js';
import { TufFolder } from '../../src/trust/tuf/folder.js';
import { TufPins } from '../../src/trust/tuf/pins.js';
import { TufPublisher, type TufReport } from '../../src/trust/tuf/publisher.js';
import { firstRoot, type WantedRoles } from '../../src/trust/tuf/root-document.js';
import { DEFAULT_DAYS } from '../../src/trust/tuf/settings.js';
import type {
  GuardedRole,
  HeldKey,
  SeenVersion,
  TufOrder,
  TufSigner as Signer,
} from '../../src/trust/tuf/signer.js';
import { addTargets } from '../../src/trust/tuf/target-changes.js';
import { namedFiles, storeTargets } from '../../src/trust/tuf/target-files.js';
import { TufSigner } from './tuf-signer.js';

const REPOSITORY = 'acme.example/updates';

/** Signs with keys by role; counts what it signs. */
class KeysInMemory implements Signer {
  readonly keys = new Map<string, TufSigner>();
  readonly guard = new Map<string, GuardedRole>();
  orders = 0;

  constructor(roles: readonly string[]) {
    for (const role of roles) this.keys.set(role, TufSigner.make());
  }

  keysOf(): Promise<readonly HeldKey[]> {
    return Promise.resolve(
      [...this.keys].map(([role, { spki }]) => ({ name: `${REPOSITORY}#${role}`, role, spki })),
    );
  }

  derive(name: string): Promise<HeldKey> {
    return this.show(name);
  }

  show(name: string): Promise<HeldKey> {
    const role = name.slice(name.indexOf('#') + 1);
    const known = this.keys.get(role);
    if (known === undefined) throw new AgentError('key.unknown');
    return Promise.resolve({ name, role, spki: known.spki });
  }

  sign(orders: readonly TufOrder[]): Promise<readonly string[]> {
    this.orders += orders.length;
    return Promise.resolve(
      orders.map(({ key, payload }) => {
        const sha256 = createHash('sha256').update(payload).digest('hex');
        const { version } = readSigned(payload);
        this.guard.set(key.role, {
          published: this.guard.get(key.role)?.published,
          signed: { version, sha256 },
        });
        return this.keys.get(key.role)?.sign(payload) ?? '';
      }),
    );
  }

  guarded(): Promise<ReadonlyMap<string, GuardedRole>> {
    return Promise.resolve(new Map(this.guard));
  }

  notePublished(_repository: string, role: string, seen: SeenVersion): Promise<void> {
    this.guard.set(role, { published: seen, signed: undefined });
    return Promise.resolve();
  }
}

export class SoftwarePublisher {
  readonly signer = new KeysInMemory(TOP_ROLES);
  readonly folder: TufFolder;
  readonly pins: TufPins;
  readonly #base: string;

  /** @param base folder of the test */
  constructor(base: string) {
    this.#base = base;
    this.folder = new TufFolder(path.join(base, 'updates'));
    this.pins = new TufPins(path.join(base, 'trust'));
    this.folder.create();
    this.folder.writeSettings({ repository: REPOSITORY, days: DEFAULT_DAYS });
  }

  open(): Promise<TufPublisher> {
    const { folder, signer, pins } = this;
    return TufPublisher.open({ folder, repository: REPOSITORY, signer, pins, days: DEFAULT_DAYS });
  }

  /** First versions of everything. */
  async init(): Promise<TufReport> {
    const wanted = TOP_ROLES.map((role) => {
      const key = this.signer.keys.get(role)?.key;
      return [role, { keys: key === undefined ? [] : [key], threshold: 1 }];
    });
    const root = firstRoot(Object.fromEntries(wanted) as WantedRoles);
    return (await this.open()).publish({ root });
  }

  /** Adds files with these contents. */
  async add(contents: Readonly<Record<string, string>>, role = 'targets'): Promise<TufReport> {
    const source = path.join(this.#base, 'source', String(this.signer.orders));
    for (const [name, text] of Object.entries(contents)) {
      mkdirSync(path.dirname(path.join(source, name)), { recursive: true });
      writeFileSync(path.join(source, name), text);
    }
    return this.addFolder(source, role);
  }

  async addFolder(source: string, role = 'targets'): Promise<TufReport> {
    const publisher = await this.open();
    const { state } = publisher;
    if (state === undefined) throw new Error('there is no root');
    const facts = await storeTargets(this.folder, await namedFiles([source], ''));
    return publisher.publish({ targets: addTargets(state, role, facts) });
  }

  /** A file of the metadata. */
  metadata(file: string): string {
    return path.join(this.folder.path, 'metadata', file);
  }
}
