/** Calls a signer as a notary-server does: gRPC over mutual TLS. */
import { createClient, type Client, type ConnectError } from '@connectrpc/connect';
import { createGrpcTransport, Http2SessionManager } from '@connectrpc/connect-node';
import { readFileSync } from 'node:fs';
import { Health } from '../../src/gateways/notary-signer/generated/health_pb.js';
import { KeyManagement, Signer } from '../../src/gateways/notary-signer/generated/notary_signer_pb.js';
import type { KeyPairFiles, TestAuthority } from './test-authority.js';

const CALL_MS = 20_000;

export class SignerClient implements Disposable {
  readonly keys: Client<typeof KeyManagement>;
  readonly signer: Client<typeof Signer>;
  readonly health: Client<typeof Health>;
  readonly #session: Http2SessionManager;

  /** @param identity certificate to show; none when left out */
  constructor(port: number, authority: Pick<TestAuthority, 'certificate'>, identity?: KeyPairFiles) {
    const baseUrl = `https://localhost:${port}`;
    const shown =
      identity === undefined
        ? {}
        : { cert: readFileSync(identity.certificate), key: readFileSync(identity.key) };
    const tls = { ca: readFileSync(authority.certificate), ...shown };
    this.#session = new Http2SessionManager(baseUrl, {}, tls);
    const transport = createGrpcTransport({
      baseUrl,
      sessionManager: this.#session,
      defaultTimeoutMs: CALL_MS,
    });
    this.keys = createClient(KeyManagement, transport);
    this.signer = createClient(Signer, transport);
    this.health = createClient(Health, transport);
  }

  [Symbol.dispose](): void {
    this.#session.abort();
  }
}

/** Status and words of the refusal that `call` ends with. */
export async function refusalOf(call: Promise<unknown>): Promise<Pick<ConnectError, 'code' | 'rawMessage'>> {
  try {
    await call;
  } catch (thrown) {
    return thrown as ConnectError;
  }
  throw new Error('it was not refused');
}
