/** The SSH agent socket of a demo agent: a raw client for what no real one sends, and the environment for those that exist. */
import { connect, type Socket } from 'node:net';
import path from 'node:path';
import { SshReader, SshWriter } from '../../src/encoding/ssh-wire.js';
import { startDemoAgent, type DemoAgent } from './demo-agent.js';

/** Message types of the protocol. */
export const SSH = {
  failure: 5,
  success: 6,
  list: 11,
  identities: 12,
  sign: 13,
  signature: 14,
  lock: 22,
  unlock: 23,
  extension: 27,
  extensionFailure: 28,
  extensionReply: 29,
} as const;

/** Turns a section of touchstone.toml on. */
function withSshDoor(toml: string, more = ''): string {
  return toml.replace('[ssh-agent]\n', `[ssh-agent]\nenabled = true\n${more}`);
}

/** A demo agent with the door open and a P-256 and an Ed25519 key for `acme/app`. */
export async function startSshDoor(more = ''): Promise<DemoAgent> {
  const agent = await startDemoAgent({ configure: (toml) => withSshDoor(toml, more) });
  await agent.derive('acme/app#ssh');
  await agent.derive('acme/app#ssh~ed25519');
  return agent;
}

export function sshSocketOf(agent: DemoAgent): string {
  return path.join(path.dirname(agent.socket), 'ssh-agent.sock');
}

export function sshEnvironment(agent: DemoAgent): NodeJS.ProcessEnv {
  return { ...agent.environment, SSH_AUTH_SOCK: sshSocketOf(agent), HOME: agent.folder };
}

/** One connection; replies come as frames without their length. */
export class SshDoorClient implements Disposable {
  readonly socket: Socket;
  readonly #waiting: ((frame: Buffer | undefined) => void)[] = [];
  readonly #frames: Buffer[] = [];
  #rest: Buffer = Buffer.alloc(0);
  #ended = false;

  constructor(socketPath: string) {
    this.socket = connect(socketPath);
    this.socket.on('error', () => undefined);
    this.socket.on('data', (chunk) => {
      this.#take(chunk);
    });
    this.socket.on('close', () => {
      this.#ended = true;
      for (const resolve of this.#waiting.splice(0)) resolve(undefined);
    });
  }

  send(body: Uint8Array): void {
    this.socket.write(new SshWriter().string(body).toBuffer());
  }

  /** The next reply, or undefined when the connection was closed. */
  next(): Promise<Buffer | undefined> {
    const frame = this.#frames.shift();
    if (frame !== undefined || this.#ended) return Promise.resolve(frame);
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  ask(body: Uint8Array): Promise<Buffer | undefined> {
    this.send(body);
    return this.next();
  }

  /** Key blobs by comment. */
  async identities(): Promise<ReadonlyMap<string, Buffer>> {
    const reply = await this.ask(Buffer.of(SSH.list));
    const reader = new SshReader(reply ?? Buffer.alloc(0), 'identities');
    if (reader.u8() !== SSH.identities) throw new Error('not a list of identities');
    const found = new Map<string, Buffer>();
    for (let left = reader.u32(); left > 0; left -= 1) {
      const blob = reader.string();
      found.set(reader.name(), blob);
    }
    return found;
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }

  #take(chunk: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    while (this.#rest.length >= 4 && this.#rest.length >= 4 + this.#rest.readUInt32BE(0)) {
      const end = 4 + this.#rest.readUInt32BE(0);
      const frame = this.#rest.subarray(4, end);
      this.#rest = this.#rest.subarray(end);
      const resolve = this.#waiting.shift();
      if (resolve === undefined) this.#frames.push(frame);
      else resolve(frame);
    }
  }
}

/** Body of a sign request. */
export function signBody(blob: Buffer, data: Buffer, flags = 0): Buffer {
  return new SshWriter().u8(SSH.sign).string(blob).string(data).u32(flags).toBuffer();
}
