/** A load client of the SSH agent protocol that does no more than it has to. */
import { connect, type Socket } from 'node:net';
import type { Connection } from './pipeline.js';

const SIGN_REQUEST = 13;
const SIGN_RESPONSE = 14;

export function sshString(bytes: Uint8Array): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

/** RFC 9987, section 4.5: key blob, data, flags. */
export function signRequest(publicKey: Uint8Array, message: Uint8Array): Buffer {
  return sshString(
    Buffer.concat([Buffer.of(SIGN_REQUEST), sshString(publicKey), sshString(message), Buffer.alloc(4)]),
  );
}

export class SshAgentConnection implements Connection {
  readonly #socket: Socket;
  readonly #request: Buffer;
  #rest: Buffer = Buffer.alloc(0);
  #answered: (frame: Buffer) => void = () => undefined;
  #failed: (reason: Error) => void = () => undefined;

  constructor(socket: Socket, request: Buffer) {
    this.#socket = socket;
    this.#request = request;
    socket.on('error', (reason) => {
      this.#failed(reason);
    });
    socket.on('data', (chunk) => {
      this.#take(chunk);
    });
  }

  #take(chunk: Buffer): void {
    let data = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    while (data.length >= 5 && data.length >= 4 + data.readUInt32BE(0)) {
      const frame = data.subarray(4, 4 + data.readUInt32BE(0));
      data = data.subarray(4 + frame.length);
      if (frame[0] === SIGN_RESPONSE) this.#answered(frame);
      else this.#failed(new Error(`ssh agent: answered ${String(frame[0])}`));
    }
    this.#rest = data;
  }

  send(count: number): void {
    for (let i = 0; i < count; i += 1) this.#socket.write(this.#request);
  }
  onAnswer(answered: (frame: Buffer) => void): void {
    this.#answered = answered;
  }
  onFailure(failed: (reason: Error) => void): void {
    this.#failed = failed;
  }
  close(): void {
    this.#socket.destroy();
  }
}

export function openSshConnection(socketPath: string, request: Buffer): Promise<SshAgentConnection> {
  return new Promise((resolve, reject) => {
    const socket = connect(socketPath, () => {
      resolve(new SshAgentConnection(socket, request));
    });
    socket.once('error', reject);
  });
}
