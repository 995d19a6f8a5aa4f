/** The keys that this door offers: active keys that may sign logins or SSHSIG, and certificates of them. */
import { lstat, readFile } from 'node:fs/promises';
import type { Agent } from '../../agent/agent.js';
import type { Peer } from '../../agent/peer.js';
import { listKeys } from '../../client/key-list.js';
import type { KeyAlgorithm } from '../../crypto/algorithms.js';
import { rawFromSpki, sshPublicKeyBlob } from '../../crypto/public-key.js';
import { AgentError, asAgentError } from '../../errors/agent-error.js';
import { certificateOfFile, plainKeyBlob } from '../../formats/ssh-certificate.js';
import { USERAUTH_KIND } from '../../formats/ssh-userauth.js';
import type { Result } from '../../protocol/methods.js';
import type { Note } from '../callers.js';

export interface Identity {
  /** Public key or certificate, as SSH writes it. */
  readonly blob: Buffer;
  readonly comment: string;
  /** Name and id of the key that signs for it. */
  readonly key: string;
  readonly keyId: string;
  readonly algorithm: KeyAlgorithm;
}

export interface IdentitiesOptions {
  readonly agent: Pick<Agent, 'answer'>;
  /** Absolute paths of `*-cert.pub` files; read again for each list, because certificates are renewed. */
  readonly certificates: readonly string[];
  readonly note: Note;
}

const MAX_CERTIFICATE_BYTES = 64 * 1024;

export class Identities {
  readonly #options: IdentitiesOptions;
  #byBlob: ReadonlyMap<string, Identity> = new Map();

  constructor(options: IdentitiesOptions) {
    this.#options = options;
  }

  /** What was found when it was last looked; the keyring may have moved on since. */
  find(blob: Buffer): Identity | undefined {
    return this.#byBlob.get(blob.toString('latin1'));
  }

  /** Looks now. Certificates stand before plain keys, as ssh prefers them. */
  async list(peer: Peer): Promise<readonly Identity[]> {
    const { agent } = this.#options;
    const { keys } = await listKeys(
      async (page) => (await agent.answer('keys.list', page, peer)) as Result<'keys.list'>,
      {},
    );
    const plain = keys.flatMap((key) => {
      const identity = identityOf(key);
      return identity === undefined ? [] : [identity];
    });
    const certified = await Promise.all(
      this.#options.certificates.map((path) => this.#certificate(path, plain)),
    );
    const all = [...certified.filter((identity) => identity !== undefined), ...plain];
    this.#byBlob = new Map(all.map((identity) => [identity.blob.toString('latin1'), identity]));
    return all;
  }

  /** A file that is missing or wrong costs its certificate, not the list. */
  async #certificate(path: string, plain: readonly Identity[]): Promise<Identity | undefined> {
    try {
      const { blob, comment } = certificateOfFile(await readCertificate(path));
      const key = plainKeyBlob(blob);
      const owner = plain.find((identity) => identity.blob.equals(key));
      if (owner === undefined) throw new AgentError('key.unknown', { message: 'it is of none of our keys' });
      return { ...owner, blob, comment: comment === '' ? `${owner.comment} certificate` : comment };
    } catch (thrown) {
      this.#options.note('certificate not offered', { file: path, reason: asAgentError(thrown).message });
      return undefined;
    }
  }
}

async function readCertificate(path: string): Promise<string> {
  try {
    const facts = await lstat(path);
    if (facts.isFile() && facts.size <= MAX_CERTIFICATE_BYTES) return await readFile(path, 'latin1');
  } catch (cause) {
    throw new AgentError('usage.file', { cause });
  }
  throw new AgentError('usage.file', { message: 'not a regular file of at most 64 KiB' });
}

function identityOf(key: Result<'keys.list'>['keys'][number]): Identity | undefined {
  const { name, usage, state, keyId, publicKey, kinds } = key;
  if (usage !== 'sign' || state !== 'active' || keyId === undefined || publicKey === undefined)
    return undefined;
  if (!kinds.includes(USERAUTH_KIND)) return undefined;
  const spki = Buffer.from(publicKey, 'base64');
  const { algorithm } = rawFromSpki(spki);
  return { blob: sshPublicKeyBlob(spki), comment: name, key: name, keyId, algorithm };
}
