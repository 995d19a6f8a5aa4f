/** A repository of Docker Content Trust made in this process with keys of the test: what a server would hand out, the odd and the evil included. */
import { createHash } from 'node:crypto';
import {
  notaryTime,
  type DelegationRole,
  type FileMeta,
  type NotaryDocument,
  type Target,
  type TargetsDocument,
} from '../../src/formats/notary1/document.js';
import { BASE_ROLES, type BaseRole } from '../../src/formats/notary1/role-name.js';
import { envelopeOf, fileMetaOf, signedBytesOf } from '../../src/formats/notary1/writer.js';
import type { FileChoice, MetadataSource } from '../../src/trust/metadata-source.js';
import { SoftwareSigner } from './software-signer.js';

const DAY_MS = 86_400_000;

export interface MadeRole {
  /** Keys that the role has. */
  members: readonly SoftwareSigner[];
  threshold: number;
  /** Of the members who sign; all when undefined. */
  signing?: readonly SoftwareSigner[] | undefined;
  version: number;
  expires: string;
}

interface MadeTargets extends MadeRole {
  readonly targets: Map<string, Target>;
  paths: readonly string[];
}

export class MadeRepository implements MetadataSource {
  readonly repository: string;
  readonly roles: Record<Exclude<BaseRole, 'targets'>, MadeRole>;
  /** `targets` and the delegations, parents first. */
  readonly targets = new Map<string, MadeTargets>();
  /** By name without `.json`: `root`, `2.root`, `targets.SHA256`. */
  readonly files = new Map<string, Buffer>();
  /** Keys that a root keeps beside those of its roles, and that sign it too. */
  keptRoots: readonly SoftwareSigner[] = [];
  /** Names asked for, in order. */
  readonly asked: string[] = [];
  /** Called before each answer. */
  onFetch: (name: string) => void = () => undefined;

  constructor(
    repository: string,
    root: readonly SoftwareSigner[] = [SoftwareSigner.make().certified(repository)],
  ) {
    this.repository = repository;
    this.roles = {
      root: roleOf(root, 3650),
      snapshot: roleOf([SoftwareSigner.make()], 1095),
      timestamp: roleOf([SoftwareSigner.make()], 14),
    };
    this.targets.set('targets', {
      ...roleOf([SoftwareSigner.make()], 1095),
      targets: new Map(),
      paths: [''],
    });
    this.publish();
  }

  delegate(
    name: string,
    members: readonly SoftwareSigner[],
    { paths = [''], threshold = 1 }: { readonly paths?: readonly string[]; readonly threshold?: number } = {},
  ): this {
    this.targets.set(name, { ...roleOf(members, 1095), threshold, targets: new Map(), paths });
    return this;
  }

  /** @param digit of the digest, 64 times */
  sign(role: string, tag: string, digit: string): this {
    const target = { hashes: { sha256: digit.repeat(64) }, length: 423 };
    this.role(role).targets.set(tag, target);
    return this;
  }

  role(name: string): MadeTargets {
    const found = this.targets.get(name);
    if (found === undefined) throw new Error(`no role ${name} was made`);
    return found;
  }

  /** New versions of everything below the root, and of the root when asked. */
  publish(more: { readonly root?: boolean; readonly except?: readonly string[] } = {}): this {
    const meta = new Map<string, FileMeta>();
    const standing = this.files.get('root');
    if (standing === undefined || more.root === true) {
      this.roles.root.version += 1;
      meta.set('root', this.#put('root', this.#root(), this.#rootSigners()));
    } else {
      meta.set('root', fileMetaOf(standing));
    }
    for (const [name, role] of this.targets) {
      if (more.except?.includes(name) === true) continue;
      role.version += 1;
      meta.set(name, this.#put(name, this.#targetsDocument(name, role), role.signing ?? role.members));
    }
    this.seal(meta);
    return this;
  }

  /** Replaces the root keys, signed by the old and the new ones. */
  rotateRoot(next: readonly SoftwareSigner[], threshold = 1): this {
    this.keptRoots = this.roles.root.members;
    this.roles.root = { ...this.roles.root, members: next, threshold };
    return this.publish({ root: true });
  }

  /** Snapshot and timestamp over what is given. */
  seal(meta: ReadonlyMap<string, FileMeta>): void {
    const { snapshot, timestamp } = this.roles;
    snapshot.version += 1;
    timestamp.version += 1;
    const { version, expires } = snapshot;
    const listed = this.#put(
      'snapshot',
      { type: 'snapshot', version, expires, meta },
      snapshot.signing ?? snapshot.members,
    );
    const document = { type: 'timestamp', meta: new Map([['snapshot', listed]]) } as const;
    this.#put(
      'timestamp',
      { ...document, version: timestamp.version, expires: timestamp.expires },
      timestamp.signing ?? timestamp.members,
    );
  }

  fetch(role: string, { sha256, version }: FileChoice = {}): Promise<Buffer | undefined> {
    const name =
      sha256 === undefined ? (version === undefined ? role : `${version}.${role}`) : `${role}.${sha256}`;
    this.asked.push(name);
    this.onFetch(name);
    return Promise.resolve(this.files.get(name));
  }

  #put(name: string, document: NotaryDocument, signers: readonly SoftwareSigner[]): FileMeta {
    const bytes = signedBytesOf(document);
    const file = envelopeOf(
      bytes,
      signers.map((signer) => signer.sign(bytes)),
    );
    this.files.set(name, file);
    this.files.set(`${document.version}.${name}`, file);
    this.files.set(`${name}.${createHash('sha256').update(file).digest('hex')}`, file);
    return fileMetaOf(file);
  }

  #rootSigners(): readonly SoftwareSigner[] {
    const { signing, members } = this.roles.root;
    return signing ?? [...new Set([...members, ...this.keptRoots])];
  }

  #root(): NotaryDocument {
    const { version, expires, members } = this.roles.root;
    const targets = this.role('targets');
    const all = { ...this.roles, targets };
    const keys = [...members, ...this.keptRoots, ...BASE_ROLES.flatMap((role) => all[role].members)];
    const keysOf = ({ members: of, threshold }: MadeRole): { keyids: string[]; threshold: number } => ({
      keyids: of.map(({ id }) => id),
      threshold,
    });
    return {
      type: 'root',
      version,
      expires,
      consistentSnapshot: false,
      keys: new Map(keys.map(({ id, key }) => [id, key])),
      roles: {
        root: keysOf(all.root),
        targets: keysOf(targets),
        snapshot: keysOf(all.snapshot),
        timestamp: keysOf(all.timestamp),
      },
    };
  }

  #targetsDocument(name: string, { version, expires, targets }: MadeTargets): TargetsDocument {
    const below = [...this.targets].filter(([one]) => one.slice(0, one.lastIndexOf('/')) === name);
    const roles = below.map(([one, { members, threshold, paths }]): DelegationRole => ({
      name: one,
      keyids: members.map(({ id }) => id),
      threshold,
      paths,
    }));
    const keys = below.flatMap(([, { members }]) => members.map(({ id, key }) => [id, key] as const));
    return { type: 'targets', version, expires, targets, delegations: { keys: new Map(keys), roles } };
  }
}

/** RFC 3339, whole seconds. */
export function daysFromNow(days: number): string {
  return notaryTime(new Date(Date.now() + days * DAY_MS));
}

function roleOf(members: readonly SoftwareSigner[], days: number): MadeRole {
  return { members, threshold: 1, version: 0, expires: daysFromNow(days) };
}
