/** A repository in a folder, as a publisher would lay it out: three roots, a delegation with a threshold, hash bins. */
import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import {
  SPEC_VERSION,
  type TufDocument,
  type TufFileMeta,
  type TufRoot,
  type TufTarget,
  type TufTargets,
} from '../../src/formats/tuf/document.js';
import { envelopeBytes } from '../../src/formats/tuf/writer.js';
import { rootOf, TufSigner } from './tuf-signer.js';

const EXPIRES = '2041-01-02T03:04:05Z';
const CONTENTS: ReadonlyMap<string, string> = new Map([
  ['top.txt', 'of the targets themselves'],
  ['team/größe 1.txt', 'of a team of two'],
  ['bins/one.txt', 'of a bin'],
]);
const BIN_BITS = 2;

const versioned = { specVersion: SPEC_VERSION, version: 1, expires: EXPIRES, raw: {} };

export class TufRepository {
  readonly folder: string;
  readonly holders = Array.from({ length: 5 }, () => TufSigner.make());
  readonly online = TufSigner.make('ed25519');
  readonly team = [TufSigner.make('ed25519'), TufSigner.make('rsa')];
  readonly bins = TufSigner.make();
  readonly #files = new Map<string, Buffer>();

  constructor(folder: string) {
    this.folder = folder;
    this.#writeRoots();
    const roles = this.#writeTargets();
    const meta = new Map([...roles].map(([name, file]) => [`${name}.json`, fileMeta(file)]));
    const snapshot = this.#write('1.snapshot', { type: 'snapshot', ...versioned, meta }, [this.online]);
    const only = new Map([['snapshot.json', fileMeta(snapshot)]]);
    this.#write('timestamp', { type: 'timestamp', ...versioned, meta: only }, [this.online]);
  }

  /** Of the metadata, without folder. */
  get files(): ReadonlyMap<string, Buffer> {
    return this.#files;
  }

  static get contents(): ReadonlyMap<string, string> {
    return CONTENTS;
  }

  metadata(name: string): string {
    return path.join(this.folder, 'metadata', name);
  }

  /** 2 of 3; a holder is swapped; two more, and the threshold raised to 3. */
  #writeRoots(): void {
    const { online } = this;
    const [a, b, c, d, e] = this.holders as [TufSigner, TufSigner, TufSigner, TufSigner, TufSigner];
    const first = rootOf({ root: [a, b, c], threshold: 2, online }, 1);
    const second = rootOf({ root: [a, b, d], threshold: 2, online }, 2);
    const third: TufRoot = {
      ...rootOf({ root: [b, d, e], threshold: 3, online }, 3),
      raw: { 'x-holders': { [e.id]: 'Erin\n"the fifth"\\' } },
    };
    this.#write('1.root', first, [a, c]);
    this.#write('2.root', second, [a, b]);
    this.#write('3.root', third, [b, d, e]);
  }

  /** File by role. */
  #writeTargets(): ReadonlyMap<string, Buffer> {
    const { team, bins, online } = this;
    const delegations = {
      keys: new Map(team.map(({ id, key }) => [id, key])),
      roles: [
        {
          name: 'team',
          keyids: team.map(({ id }) => id),
          threshold: 2,
          terminating: true,
          paths: ['team/*'],
        },
        { name: 'bins', keyids: [online.id], threshold: 1, terminating: false, paths: ['bins/*'] },
      ],
    };
    delegations.keys.set(online.id, online.key);
    const succinctRoles = { keyids: [bins.id], threshold: 1, bitLength: BIN_BITS, namePrefix: 'bin' };
    const binKeys = new Map([[bins.id, bins.key]]);
    const made: (readonly [string, TufTargets, readonly TufSigner[]])[] = [
      ['targets', { ...targetsDocument([this.#target('top.txt')]), delegations }, [online]],
      ['team', targetsDocument([this.#target('team/größe 1.txt')]), team],
      ['bins', { ...targetsDocument([]), delegations: { keys: binKeys, succinctRoles } }, [online]],
    ];
    for (let bin = 0; bin < 2 ** BIN_BITS; bin += 1) {
      const held = bin === binOf('bins/one.txt') ? [this.#target('bins/one.txt')] : [];
      made.push([`bin-${bin.toString(16)}`, targetsDocument(held), [bins]]);
    }
    return new Map(
      made.map(([role, document, signers]) => [role, this.#write(`1.${role}`, document, signers)]),
    );
  }

  #target(name: string): readonly [string, TufTarget] {
    const content = Buffer.from(CONTENTS.get(name) ?? '');
    const hash = sha256(content);
    const file = path.join(this.folder, 'targets', path.dirname(name), `${hash}.${path.basename(name)}`);
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, content);
    return [name, { length: content.length, hashes: { sha256: hash }, custom: { note: 'a\tb' } }];
  }

  #write(name: string, document: TufDocument, signers: readonly TufSigner[]): Buffer {
    const signatures = signers.map((signer) => signer.signature(document));
    const file = envelopeBytes(document, signatures);
    mkdirSync(path.join(this.folder, 'metadata'), { recursive: true });
    writeFileSync(this.metadata(`${name}.json`), file);
    this.#files.set(`${name}.json`, file);
    return file;
  }
}

function targetsDocument(targets: readonly (readonly [string, TufTarget])[]): TufTargets {
  return { type: 'targets', ...versioned, targets: new Map(targets) };
}

function fileMeta(file: Buffer): TufFileMeta {
  return { version: 1, length: file.length, hashes: { sha256: sha256(file) } };
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** The first bits of the SHA-256 of the path. */
function binOf(name: string): number {
  return Number.parseInt(sha256(Buffer.from(name)).slice(0, 8), 16) >>> (32 - BIN_BITS);
}
