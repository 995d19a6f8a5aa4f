/** A small client of p11-kit's RPC: the same calls go to the agent and to "p11-kit server", so that their answers can be compared. */
import { connect, type Socket } from 'node:net';
import { frameBody, frameEnd, RpcAnswer, RpcArguments, type RpcCallName } from './rpc-message.js';

const HANDSHAKE = Buffer.from('PRIVATE-GNOME-KEYRING-PKCS11-PROTOCOL-V-1', 'latin1');
const NULL_POINTER = 0xffffffff;
const CKF_SERIAL_SESSION = 4;
const CKU_USER = 1;
const CKA_CLASS = 0;
const CKA_LABEL = 3;
const CKO_PRIVATE_KEY = 3;

/** The call came to something else than CKR_OK. */
export class ReturnValue extends Error {
  readonly rv: number;

  constructor(call: string, rv: number) {
    super(`C_${call}: 0x${rv.toString(16)}`);
    this.rv = rv;
  }
}

interface Waiting {
  readonly name: RpcCallName;
  readonly resolve: (answer: RpcAnswer) => void;
  readonly reject: (reason: Error) => void;
}

export class Pkcs11RpcClient {
  readonly socket: Socket;
  readonly #waiting: Waiting[] = [];
  #rest: Buffer = Buffer.alloc(0);
  #hasVersion = false;
  #callCode = 0x10;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.write(Buffer.from([0]));
    socket.on('data', (chunk) => {
      this.#take(chunk);
    });
    socket.on('error', (error) => {
      this.#fail(error);
    });
    socket.on('close', () => {
      this.#fail(new Error('the connection was closed'));
    });
  }

  /** Connects and does nothing else. */
  static connect(path: string): Promise<Pkcs11RpcClient> {
    return new Promise((resolve, reject) => {
      const socket = connect(path, () => {
        resolve(new Pkcs11RpcClient(socket));
      });
      socket.once('error', reject);
    });
  }

  /** Connects and initializes. */
  static async open(path: string): Promise<Pkcs11RpcClient> {
    const client = await Pkcs11RpcClient.connect(path);
    await client.call('Initialize', (args) =>
      args
        .byteArray(HANDSHAKE)
        .byte(0)
        .byteArray(Buffer.from([0])),
    );
    return client;
  }

  /** @throws ReturnValue */
  call(name: RpcCallName, write: (args: RpcArguments) => unknown = () => undefined): Promise<RpcAnswer> {
    this.#callCode += 1;
    const args = new RpcArguments();
    write(args);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ name, resolve, reject });
      this.socket.write(args.frame(this.#callCode, name));
    });
  }

  /** Slots with a token. */
  async slots(): Promise<readonly number[]> {
    const answer = await this.call('GetSlotList', (args) => args.byte(1).u32(64));
    return answer.numbers();
  }

  async openSession(slot: number): Promise<number> {
    const answer = await this.call('OpenSession', (args) => args.ulong(slot).ulong(CKF_SERIAL_SESSION));
    return answer.ulong();
  }

  async login(session: number, pin: string): Promise<void> {
    await this.call('Login', (args) =>
      args.ulong(session).ulong(CKU_USER).byteArray(Buffer.from(pin, 'utf8')),
    );
  }

  /** Handles of the objects of a class. */
  async find(session: number, objectClass: number): Promise<readonly number[]> {
    await this.call('FindObjectsInit', (args) =>
      args.ulong(session).u32(1).u32(0).byte(1).u32(8).ulong(objectClass),
    );
    const answer = await this.call('FindObjects', (args) => args.ulong(session).u32(64));
    await this.call('FindObjectsFinal', (args) => args.ulong(session));
    return answer.numbers();
  }

  /** Handle of the private key with this label, 0 where there is none. */
  async findKey(session: number, label: string): Promise<number> {
    const value = Buffer.from(label, 'utf8');
    await this.call('FindObjectsInit', (args) => {
      args.ulong(session).u32(2).u32(CKA_CLASS).byte(1).u32(8).ulong(CKO_PRIVATE_KEY);
      return args.u32(CKA_LABEL).byte(1).u32(value.length).string(value);
    });
    const answer = await this.call('FindObjects', (args) => args.ulong(session).u32(1));
    await this.call('FindObjectsFinal', (args) => args.ulong(session));
    return answer.numbers()[0] ?? 0;
  }

  /** One attribute with `room` bytes for it, as it came: validity, length and value on the wire, return value. */
  async attribute(session: number, object: number, type: number, room = 256): Promise<ShownAttribute> {
    const answer = await this.call('GetAttributeValue', (args) =>
      args.ulong(session).ulong(object).u32(1).u32(type).u32(room),
    );
    answer.u32();
    answer.u32();
    if (answer.byte() === 0) return { length: undefined, wire: undefined, rv: answer.ulong() };
    const length = answer.u32();
    const wire = answer.until(8).toString('hex');
    return { length, wire, rv: answer.ulong() };
  }

  /** @param parameter of the mechanism, as three numbers for PSS */
  async signInit(
    session: number,
    mechanism: number,
    key: number,
    parameter?: readonly number[],
  ): Promise<void> {
    await this.call('SignInit', (args) => {
      args.ulong(session).u32(mechanism);
      if (parameter === undefined) args.u32(NULL_POINTER);
      for (const value of parameter ?? []) args.ulong(value);
      return args.ulong(key);
    });
  }

  /** SignInit and Sign. */
  async sign(
    session: number,
    mechanism: number,
    key: number,
    data: Buffer,
    parameter?: readonly number[],
  ): Promise<Buffer> {
    await this.signInit(session, mechanism, key, parameter);
    const answer = await this.call('Sign', (args) => args.ulong(session).byteArray(data).u32(512));
    return answer.byteArray();
  }

  close(): void {
    this.socket.destroy();
  }

  #take(chunk: Buffer): void {
    let bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    if (!this.#hasVersion && bytes.length > 0) {
      this.#hasVersion = true;
      bytes = bytes.subarray(1);
    }
    for (let end = frameEnd(bytes); end <= bytes.length; end = frameEnd(bytes)) {
      this.#answer(new RpcAnswer(frameBody(bytes.subarray(0, end))));
      bytes = bytes.subarray(end);
    }
    this.#rest = bytes;
  }

  #answer(answer: RpcAnswer): void {
    const waiting = this.#waiting.shift();
    if (waiting === undefined) throw new Error('an answer nobody waits for');
    if (answer.id === 0) waiting.reject(new ReturnValue(waiting.name, answer.ulong()));
    else waiting.resolve(answer);
  }

  #fail(reason: Error): void {
    for (const waiting of this.#waiting.splice(0)) waiting.reject(reason);
  }
}

export interface ShownAttribute {
  /** Missing like the value where the answer says that there is none. */
  readonly length: number | undefined;
  readonly wire: string | undefined;
  readonly rv: number;
}
