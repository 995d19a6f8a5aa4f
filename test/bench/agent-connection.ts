/**
 * A load client of the control protocol: prepared requests, only the id changes. It looks at each reply just enough
 * to tell a result from an error; one signature per row is verified before it counts.
 */
import { createPublicKey, verify } from 'node:crypto';
import { WebSocket } from 'ws';
import type { MethodName, Params, Result } from '../../src/protocol/methods.js';
import type { Connection } from './pipeline.js';

interface Reply {
  readonly id: number;
  readonly result?: unknown;
  readonly error?: { readonly message: string };
}

const FIRST_BULK_ID = 1000;

export class AgentConnection implements Connection {
  readonly #socket: WebSocket;
  readonly #calls = new Map<number, (reply: Reply) => void>();
  #nextCall = 1;
  #nextBulk = FIRST_BULK_ID;
  /** The request without its id and what comes before it. */
  #request = '';
  #answered: () => void = () => undefined;
  #failed: (reason: Error) => void = () => undefined;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on('message', (data: Buffer) => {
      this.#take(data);
    });
    socket.on('close', (code) => {
      this.#failed(new Error(`agent: closed the connection (${code})`));
    });
  }

  static async open(socketPath: string): Promise<AgentConnection> {
    const socket = new WebSocket(`ws+unix://${socketPath}:/`, 'touchstone.v1', {
      perMessageDeflate: false,
      skipUTF8Validation: true,
      handshakeTimeout: 5000,
    });
    await new Promise((resolve, reject) => {
      socket.once('open', resolve);
      socket.once('error', reject);
    });
    const connection = new AgentConnection(socket);
    await connection.call('hello', { client: 'touchstone-bench', protocol: 1 });
    return connection;
  }

  #take(data: Buffer): void {
    const text = data.toString('latin1');
    if (this.#calls.size > 0) {
      const reply = JSON.parse(data.toString('utf8')) as Reply;
      const call = this.#calls.get(reply.id);
      this.#calls.delete(reply.id);
      call?.(reply);
    } else if (text.includes('"signatures":[{')) this.#answered();
    else if (text.includes('"error":')) this.#failed(new Error(`agent: ${text.slice(0, 400)}`));
  }

  call<M extends MethodName>(method: M, params: Params<M>): Promise<Result<M>> {
    const id = this.#nextCall++;
    return new Promise((resolve, reject) => {
      this.#calls.set(id, (reply) => {
        if (reply.error === undefined) resolve(reply.result as Result<M>);
        else reject(new Error(`${method}: ${JSON.stringify(reply.error)}`));
      });
      this.#socket.send(JSON.stringify({ jsonrpc: '2.0', id, method, params }));
    });
  }

  /** From now on `send` sends `count` copies of this request in one `sign` call. Verifies one signature first. */
  async prepare(key: string, kind: string, payload: Uint8Array, count: number): Promise<void> {
    const request = { key, kind, payload: Buffer.from(payload).toString('base64') };
    await this.#checkSignature(request, payload);
    const params = JSON.stringify({ requests: Array.from({ length: count }, () => request) });
    this.#request = `,"method":"sign","params":${params}}`;
  }

  async #checkSignature(request: Params<'sign'>['requests'][number], payload: Uint8Array): Promise<void> {
    const { key } = await this.call('keys.show', { key: request.key });
    const { signatures } = await this.call('sign', { requests: [request] });
    const spki = Buffer.from(key.publicKey ?? '', 'base64');
    const publicKey = createPublicKey({ key: spki, format: 'der', type: 'spki' });
    const digest = publicKey.asymmetricKeyType === 'ed25519' ? null : 'sha256';
    const signature = Buffer.from(signatures[0]?.signature ?? '', 'base64');
    if (!verify(digest, payload, { key: publicKey, dsaEncoding: 'ieee-p1363' }, signature)) {
      throw new Error(`agent: the signature by ${request.key} does not verify`);
    }
  }

  send(count: number): void {
    for (let i = 0; i < count; i += 1) {
      this.#socket.send(`{"jsonrpc":"2.0","id":${this.#nextBulk}${this.#request}`);
      this.#nextBulk += 1;
    }
  }
  onAnswer(answered: () => void): void {
    this.#answered = answered;
  }
  onFailure(failed: (reason: Error) => void): void {
    this.#failed = failed;
  }
  close(): void {
    this.#failed = () => undefined;
    this.#socket.close();
  }
}
