/** One reader as pcscd sees it: a Unix socket that reader-driver.c speaks to, with a card in it or none. */
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import type { YubiKey } from './yubikey.js';

const OP = { powerUp: 1, powerDown: 2, transmit: 3 } as const;
const REPLY = { ok: 0, noCard: 1 } as const;
const PURPOSE = { commands: 0x43, events: 0x45 } as const;
const LENGTH_BYTES = 4;

export class VirtualReader implements AsyncDisposable {
  readonly #server: Server;
  readonly #connections = new Set<Socket>();
  readonly #listeners = new Set<Socket>();
  /** The latest command connection. */
  #driver: Socket | undefined;
  #card: YubiKey | undefined;
  /** The card in the reader was powered since it came: until then it answers nothing, so nothing meant for another reaches it. */
  #isPowered = false;
  readonly #onPower: (() => void)[] = [];

  private constructor(readonly socketPath: string) {
    this.#server = createServer((socket) => {
      this.#greet(socket);
    });
  }

  static async listen(socketPath: string, card: YubiKey | undefined): Promise<VirtualReader> {
    const reader = new VirtualReader(socketPath);
    reader.#card = card;
    reader.#server.listen(socketPath);
    await once(reader.#server, 'listening');
    return reader;
  }

  get card(): YubiKey | undefined {
    return this.#card;
  }

  /** Resolves when pcscd has powered the card in the reader: it then knows that one before was pulled. */
  powered(): Promise<void> {
    if (this.#isPowered) return Promise.resolve();
    return new Promise((resolve) => this.#onPower.push(resolve));
  }

  /** Pulls the card out, also in the middle of a command. */
  remove(): void {
    const card = this.#card;
    if (card === undefined) return;
    this.#card = undefined;
    this.#isPowered = false;
    card.powerOff();
    this.#tell(false);
  }

  /** Puts a card in; one that is there already goes first. */
  insert(card: YubiKey): void {
    this.remove();
    this.#card = card;
    this.#tell(true);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#connections) socket.destroy();
    this.#card?.powerOff();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #tell(isPresent: boolean): void {
    for (const socket of this.#listeners) socket.write(Buffer.from([isPresent ? 1 : 0]));
  }

  #greet(socket: Socket): void {
    this.#connections.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      this.#connections.delete(socket);
      this.#listeners.delete(socket);
    });
    socket.once('data', (first: Buffer) => {
      if (first[0] === PURPOSE.events) this.#attach(socket);
      else if (first[0] === PURPOSE.commands) this.#serve(socket, first.subarray(1));
      else socket.destroy();
    });
  }

  #attach(socket: Socket): void {
    this.#listeners.add(socket);
    socket.resume();
    socket.write(Buffer.from([this.#card === undefined ? 0 : 1]));
  }

  /** The driver sends one command at a time; a pcscd that goes away leaves the card without power. */
  #serve(socket: Socket, first: Buffer): void {
    let received = first;
    const take = (): void => {
      while (received.length >= LENGTH_BYTES) {
        const end = LENGTH_BYTES + received.readUInt32BE(0);
        if (received.length < end) return;
        const frame = received.subarray(LENGTH_BYTES, end);
        received = received.subarray(end);
        void this.#answer(frame).then((reply) => socket.destroyed || socket.write(reply));
      }
    };
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      take();
    });
    this.#driver = socket;
    socket.on('close', () => {
      if (this.#driver !== socket) return;
      this.#isPowered = false;
      this.#card?.powerOff();
    });
    take();
  }

  async #answer(frame: Buffer): Promise<Buffer> {
    const card = this.#card;
    const [op] = frame;
    if (card === undefined) return reply(REPLY.noCard);
    if (op === OP.powerUp) {
      this.#isPowered = true;
      for (const listener of this.#onPower.splice(0)) listener();
      return reply(REPLY.ok, card.powerCycle());
    }
    if (op === OP.powerDown) {
      this.#isPowered = false;
      card.powerOff();
      return reply(REPLY.ok);
    }
    if (op !== OP.transmit || !this.#isPowered) return reply(REPLY.noCard);
    const answer = await card.exchange(frame.subarray(1));
    return answer === undefined ? reply(REPLY.noCard) : reply(REPLY.ok, answer);
  }
}

/** One frame, for one write: two would meet the delayed acknowledgement of other transports, and cost a system call here. */
function reply(code: number, body: Buffer = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(LENGTH_BYTES + 1);
  head.writeUInt32BE(body.length + 1);
  head.writeUInt8(code, LENGTH_BYTES);
  return Buffer.concat([head, body]);
}
