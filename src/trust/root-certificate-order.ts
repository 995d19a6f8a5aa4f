/**
 * The certificate that wraps a root key for one repository, signed by that key itself: made here because the stock tools make it wrongly
 * with keys on hardware. Kept, so that what `trust root-cert` prints is what `trust init` publishes.
 */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ecdsaDerFromRaw } from '../encoding/der.js';
import { encodePem } from '../encoding/pem.js';
import { AgentError } from '../errors/agent-error.js';
import {
  canonicalKeyId,
  notaryKeyFromCertificates,
  notarySpki,
  type NotaryKey,
} from '../formats/notary1/key.js';
import { rootCertificateOf } from '../formats/notary1/root-certificate.js';
import { buildTbs, sealTbs, TBS_KIND } from '../formats/x509-tbs.js';
import { writeFileAtomic } from '../platform/store/atomic-file.js';
import { ensurePrivateFolder } from '../platform/store/private-folder.js';
import { fileNameOf } from './file-name.js';
import { lockedError } from './locked-keys.js';
import type { RoleKey, RoleSigner } from './role-signer.js';

/** `.ID.pem`, and what a temporary file has around it. */
const ENDING_BYTES = 50;
const SERIAL_BYTES = 16;
const DAY_MS = 86_400_000;
/** Clocks of other machines may be behind. */
const BACKDATE_MS = 3_600_000;
/** Readers warn about certificates with less than this left. */
const RENEW_MS = 183 * DAY_MS;

export class RootCertificates {
  readonly #folder: string;
  readonly #signer: RoleSigner;

  constructor(trustDir: string, signer: RoleSigner) {
    this.#folder = join(trustDir, 'root-certificates');
    this.#signer = signer;
  }

  /**
   * The key with its certificate for the repository: the one kept while it is good for half a year, else a new one.
   * @param days how long a new one is valid
   * @throws AgentError of the agent, `key.usage` for a key that is not P-256
   */
  async certified(repository: string, key: RoleKey, days: number, renew = false): Promise<NotaryKey> {
    const file = join(
      this.#folder,
      `${fileNameOf(repository, ENDING_BYTES)}.${key.canonicalId.slice(0, 32)}.pem`,
    );
    const kept = renew ? undefined : readKept(file);
    const isGood = kept !== undefined && rootCertificateOf(kept).notAfter.getTime() > Date.now() + RENEW_MS;
    if (isGood && canonicalKeyId(kept) === key.canonicalId) return kept;
    const pem = await this.#order(repository, key, days);
    ensurePrivateFolder(this.#folder, 'state');
    writeFileAtomic(file, pem);
    return notaryKeyFromCertificates(pem);
  }

  async #order(repository: string, root: RoleKey, days: number): Promise<string> {
    const { name, key } = root;
    if (root.isLocked === true)
      throw lockedError(`the certificate of the root key for ${repository}`, [name]);
    const spki = notarySpki(key);
    const now = Math.floor(Date.now() / 1000) * 1000;
    const serial = randomBytes(SERIAL_BYTES);
    // Positive, and never zero.
    serial[0] = ((serial[0] ?? 0) & 0x7f) | 0x40;
    const tbs = buildTbs({
      profile: 'repository',
      serial,
      issuer: { CN: repository },
      subject: { CN: repository },
      notBefore: new Date(now - BACKDATE_MS),
      notAfter: new Date(now + days * DAY_MS),
      spki,
      issuerSpki: spki,
    });
    const [signature] = await this.#signer.sign([{ key: name, kind: TBS_KIND, payload: tbs }]);
    if (signature === undefined) throw new AgentError('internal.unexpected');
    return encodePem('CERTIFICATE', sealTbs(tbs, ecdsaDerFromRaw(signature)));
  }
}

function readKept(file: string): NotaryKey | undefined {
  try {
    return notaryKeyFromCertificates(readFileSync(file, 'utf8'));
  } catch {
    // None, or not readable: a new one is made.
    return undefined;
  }
}
