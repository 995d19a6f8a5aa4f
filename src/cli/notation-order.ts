/** The Notation side of signing an image: only where a chain was issued for the repository's key. */
import type { X509Certificate } from 'node:crypto';
import { CertificateFolder } from '../client/certificate-folder.js';
import { AgentError } from '../errors/agent-error.js';
import { buildNotationPayload, encodeNotation, NOTATION_KIND } from '../formats/notation.js';
import { parseKeyName } from '../keys/key-name.js';
import type { KeyInfo } from '../protocol/methods.js';
import { publishNotation } from '../images/notation-referrers.js';
import type { Descriptor } from '../registry/manifest.js';
import type { Repository } from '../registry/repository.js';
import type { CliContext } from './context.js';
import { placesOf } from './places.js';

export class NotationOrder {
  readonly key: string;
  readonly kind = NOTATION_KIND;
  readonly payload: Buffer;
  readonly #chain: readonly X509Certificate[];

  private constructor(key: string, payload: Buffer, chain: readonly X509Certificate[]) {
    this.key = key;
    this.payload = payload;
    this.#chain = chain;
  }

  /**
   * The order for an image, or undefined when the repository of the cosign key has no Notation chain.
   * @throws AgentError `config.invalid` for a chain that has expired
   */
  static async find(
    context: CliContext,
    cosignKey: string,
    subject: Descriptor,
  ): Promise<NotationOrder | undefined> {
    if (cosignKey.startsWith('pkcs11:')) return undefined;
    const key = `${parseKeyName(cosignKey).repository}#notation`;
    const chain = new CertificateFolder((await placesOf(context)).configFile).chain(key);
    if (chain === undefined) return undefined;
    if (chain.some(({ validTo }) => Date.parse(validTo) <= Date.now())) throw stale(key, 'has expired');
    const { mediaType, digest, size } = subject;
    return new NotationOrder(key, buildNotationPayload({ mediaType, digest, size }, new Date()), chain);
  }

  /** @throws AgentError `config.invalid` when the certificate is of an older epoch of the key */
  requireKey(signer: KeyInfo): void {
    const spki = this.#chain[0]?.publicKey.export({ format: 'der', type: 'spki' }).toString('base64');
    if (spki !== signer.publicKey) throw stale(this.key, 'is of another epoch');
  }

  /** Stores the signature (r||s). @throws AgentError `registry.…` */
  async publish(repository: Repository, subject: Descriptor, signature: Buffer): Promise<void> {
    const chain = this.#chain.map(({ raw }) => raw);
    await publishNotation(repository, subject, encodeNotation(this.payload, signature, chain), chain);
  }
}

function stale(key: string, why: string): AgentError {
  return new AgentError('config.invalid', {
    message: `the certificate of ${key} ${why}`,
    hint: `renew it: touchstone cert issue '${key}'`,
  });
}
