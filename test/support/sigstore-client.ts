/**
 * The npm package `sigstore`, as its users call it, for a plain key and without a network: its trust root comes from a TUF cache that is
 * written and signed here, and is never refreshed. It takes no bundle without a time stamp, so each gets one of an authority of our own.
 */
import { createHash, generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { verify, VerificationError } from 'sigstore';
import { TempFolder } from './temp-folder.js';
import { TimestampAuthority } from './timestamp-authority.js';

/** The mirror is never asked: port 1 is nobody's. */
const MIRROR = 'http://127.0.0.1:1';
const HEAD = { spec_version: '1.0.0', version: 1, expires: '2099-01-01T00:00:00Z' } as const;
const ROLES = ['root', 'timestamp', 'snapshot', 'targets'] as const;

/** As much of a bundle as is read and added to here. */
interface Bundle {
  readonly verificationMaterial: object;
  readonly dsseEnvelope: { readonly signatures: readonly { readonly sig: string }[] };
}

export class SigstoreClient implements Disposable {
  readonly #cache = new TempFolder();
  readonly #clock = new TimestampAuthority();

  constructor() {
    const folder = this.#cache.join(encodeURIComponent(new URL(MIRROR).host));
    mkdirSync(path.join(folder, 'targets'), { recursive: true });
    for (const [name, text] of repository(trustedRoot(this.#clock)))
      writeFileSync(path.join(folder, name), text);
  }

  /** Whether it accepts the bundle as signed by the key; anything but a verdict throws. */
  async accepts(bundle: Buffer, publicKeyPem: string): Promise<boolean> {
    try {
      await verify(this.#stamped(JSON.parse(bundle.toString('utf8')) as Bundle), {
        keySelector: () => publicKeyPem,
        tlogThreshold: 0,
        ctLogThreshold: 0,
        tufCachePath: this.#cache.path,
        tufMirrorURL: MIRROR,
        tufForceCache: true,
        retry: 0,
        timeout: 1000,
      });
      return true;
    } catch (failure) {
      if (failure instanceof VerificationError) return false;
      throw failure;
    }
  }

  [Symbol.dispose](): void {
    this.#cache[Symbol.dispose]();
    this.#clock[Symbol.dispose]();
  }

  #stamped(bundle: Bundle): Parameters<typeof verify>[0] {
    const signature = Buffer.from(bundle.dsseEnvelope.signatures[0]?.sig ?? '', 'base64');
    const signedTimestamp = this.#clock.stamp(signature).toString('base64');
    const timestampVerificationData = { rfc3161Timestamps: [{ signedTimestamp }] };
    const stamped = {
      ...bundle,
      verificationMaterial: { ...bundle.verificationMaterial, timestampVerificationData },
    };
    return stamped as unknown as Parameters<typeof verify>[0];
  }
}

function trustedRoot(clock: TimestampAuthority): string {
  const certificates = clock.chain.map((der) => ({ rawBytes: der.toString('base64') }));
  const start = '2020-01-01T00:00:00Z';
  const authority = { subject: {}, uri: '', certChain: { certificates }, validFor: { start } };
  return JSON.stringify({
    mediaType: 'application/vnd.dev.sigstore.trustedroot+json;version=0.1',
    tlogs: [],
    certificateAuthorities: [],
    ctlogs: [],
    timestampAuthorities: [authority],
  });
}

/** Files of a TUF repository with one target, all roles by one key. */
function repository(root: string): readonly (readonly [string, string])[] {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const raw = publicKey.export({ format: 'der', type: 'spki' }).subarray(-32).toString('hex');
  const key = { keytype: 'ed25519', scheme: 'ed25519', keyval: { public: raw } };
  const keyid = createHash('sha256').update(canonical(key)).digest('hex');
  const signed = (fields: object): string => signedBy(privateKey, keyid, { ...HEAD, ...fields });
  const target = {
    length: root.length,
    hashes: { sha256: createHash('sha256').update(root).digest('hex') },
  };
  const roles = Object.fromEntries(ROLES.map((role) => [role, { keyids: [keyid], threshold: 1 }]));
  const version = { version: 1 };
  return [
    ['root.json', signed({ _type: 'root', consistent_snapshot: false, keys: { [keyid]: key }, roles })],
    ['timestamp.json', signed({ _type: 'timestamp', meta: { 'snapshot.json': version } })],
    ['snapshot.json', signed({ _type: 'snapshot', meta: { 'targets.json': version } })],
    ['targets.json', signed({ _type: 'targets', targets: { 'trusted_root.json': target } })],
    ['targets/trusted_root.json', root],
  ];
}

function signedBy(privateKey: KeyObject, keyid: string, signed: object): string {
  const sig = sign(null, Buffer.from(canonical(signed)), privateKey).toString('hex');
  return JSON.stringify({ signed, signatures: [{ keyid, sig }] });
}

/** JSON with sorted names and no spaces: canonical JSON for the plain values above. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, each: unknown) =>
    each !== null && typeof each === 'object' && !Array.isArray(each)
      ? Object.fromEntries(Object.entries(each).sort(([a], [b]) => (a < b ? -1 : 1)))
      : each,
  );
}
