/**
 * A YubiKey's OTP interface as it behaves on the wire, byte by byte: frames in pieces, busy flags, answers in chunks, the wait
 * for a finger, refusals, programming. It shares no code with the driver.
 *
 *     const key = new VirtualOtpKey({ serial: 12345678 });
 *     key.program(2, { secret: Buffer.alloc(20, 7) });    // variable length, touch
 *     key.fingerAfterMs = 0;                               // undefined: nobody touches it
 *     const bus = new VirtualOtpBus(key);                  // a PortFinder
 */
import { createHmac } from 'node:crypto';
import { AgentError } from '../../src/errors/agent-error.js';
import type { FeaturePort, Place, PortFinder } from '../../src/token/yubikey-otp/feature-port.js';

export interface VirtualSlot {
  readonly secret: Buffer;
  /** HMAC_LT64; a fixed slot hashes all 64 bytes. */
  readonly variable?: boolean;
  readonly touch?: boolean;
  /** Something else than challenge-response, for example a static password. */
  readonly other?: boolean;
  readonly accessCode?: Buffer;
}

export interface VirtualOtpKeyOptions {
  readonly serial: number;
  readonly version?: readonly [number, number, number];
  readonly serialVisible?: boolean;
  /** Milliseconds since an origin of its own; the real clock when left out. */
  readonly clock?: () => number;
}

const FRAME_BYTES = 70;
const PAYLOAD_BYTES = 64;
const CONFIGURATION_BYTES = 52;

/** The CRC bit by bit from its definition: the driver's is written another way. */
export function referenceCrc(bytes: Uint8Array): number {
  let register = 0xffff;
  for (const byte of bytes) {
    for (let bit = 0; bit < 8; bit += 1) {
      const feedback = (register & 1) ^ ((byte >> bit) & 1);
      register >>= 1;
      if (feedback === 1) register ^= 0x8408;
    }
  }
  return register;
}

export class VirtualOtpKey {
  readonly serial: number;
  /** How long a finger takes; nobody touches the key while it is undefined. */
  fingerAfterMs: number | undefined = 0;
  /** After this time the key stops waiting. */
  touchSeconds = 15;
  /** How long a piece, a command and a configuration keep it busy. */
  pieceMs = 0;
  commandMs = 0;
  configureMs = 0;
  /** Flips a bit in the next answers, as another program that polls would. */
  damagedAnswers = 0;
  /** Commands that were started, oldest first. */
  readonly commands: number[] = [];
  /** Things that no driver may do. */
  readonly violations: string[] = [];
  readonly #version: readonly [number, number, number];
  readonly #serialVisible: boolean;
  readonly #clock: () => number;
  readonly #slots = new Map<1 | 2, VirtualSlot>();
  #sequence = 0;
  readonly #frame = Buffer.alloc(FRAME_BYTES);
  #busyUntil = 0;
  #answer: readonly Buffer[] | undefined;
  #nextChunk = 0;
  #waiting: { readonly since: number; readonly touchedAt: number; readonly answer: Buffer } | undefined;

  constructor(options: VirtualOtpKeyOptions) {
    this.serial = options.serial;
    this.#version = options.version ?? [5, 4, 3];
    this.#serialVisible = options.serialVisible ?? true;
    this.#clock = options.clock ?? (() => performance.now());
  }

  program(slot: 1 | 2, contents: VirtualSlot | undefined): void {
    if (contents === undefined) this.#slots.delete(slot);
    else this.#slots.set(slot, contents);
    this.#sequence = this.#slots.size === 0 ? 0 : this.#sequence + 1;
  }

  slot(slot: 1 | 2): VirtualSlot | undefined {
    return this.#slots.get(slot);
  }

  /** A finger, now. */
  touch(): void {
    if (this.#waiting !== undefined) this.#waiting = { ...this.#waiting, touchedAt: this.#clock() };
  }

  get isBlinking(): boolean {
    this.#tick();
    return this.#waiting !== undefined;
  }

  /** GET_REPORT(feature): 8 bytes. */
  getReport(): Buffer {
    this.#tick();
    if (this.#clock() < this.#busyUntil) return this.#report(0x80);
    if (this.#answer !== undefined) {
      const number = this.#nextChunk;
      const chunk = this.#answer[number];
      if (chunk === undefined) return this.#report(0x40);
      this.#nextChunk += 1;
      return Buffer.concat([chunk, Buffer.from([0x40 | number])]);
    }
    if (this.#waiting !== undefined) {
      const left = this.touchSeconds - (this.#clock() - this.#waiting.since) / 1000;
      return this.#report(0x20 | Math.min(31, Math.max(0, Math.ceil(left))));
    }
    return this.#report(0);
  }

  /** SET_REPORT(feature), 8 bytes. */
  setReport(report: Uint8Array): void {
    this.#tick();
    const flag = report[7] ?? 0;
    if (report.length !== 8 || (flag & 0x80) === 0) {
      this.violations.push(`a report without the write flag: ${Buffer.from(report).toString('hex')}`);
      return;
    }
    if (flag === 0xff || flag === 0x8f) {
      this.#answer = undefined;
      this.#waiting = undefined;
      return;
    }
    if (this.#clock() < this.#busyUntil) this.violations.push('a piece while the key was busy');
    if (this.#answer !== undefined || this.#waiting !== undefined)
      this.violations.push('a piece over an answer');
    const number = flag & 0x1f;
    if (number > 9) {
      this.violations.push(`piece ${number}`);
      return;
    }
    if (number === 0) this.#frame.fill(0);
    this.#frame.set(report.subarray(0, 7), number * 7);
    this.#busyUntil = this.#clock() + this.pieceMs;
    if (number === 9) this.#start();
  }

  #start(): void {
    const payload = Buffer.from(this.#frame.subarray(0, PAYLOAD_BYTES));
    const command = this.#frame.readUInt8(PAYLOAD_BYTES);
    const crc = this.#frame.readUInt16LE(PAYLOAD_BYTES + 1);
    this.commands.push(command);
    this.#busyUntil = this.#clock() + this.commandMs;
    if (crc !== referenceCrc(payload)) return;
    if (command === 0x10 && this.#serialVisible) this.#answerWith(serialBytes(this.serial));
    if (command === 0x30) this.#challenge(1, payload);
    if (command === 0x38) this.#challenge(2, payload);
    if (command === 0x01) this.#configure(1, payload);
    if (command === 0x03) this.#configure(2, payload);
  }

  #challenge(slot: 1 | 2, payload: Buffer): void {
    const contents = this.#slots.get(slot);
    if (contents === undefined || contents.other === true) return;
    const hashed = (contents.variable ?? true) ? payload.subarray(0, strippedLength(payload)) : payload;
    const response = createHmac('sha1', contents.secret).update(hashed).digest();
    if (!(contents.touch ?? true)) {
      this.#answerWith(response);
      return;
    }
    const since = this.#clock();
    const touchedAt = this.fingerAfterMs === undefined ? Infinity : since + this.fingerAfterMs;
    this.#waiting = { since, touchedAt, answer: response };
  }

  #configure(slot: 1 | 2, payload: Buffer): void {
    this.#busyUntil = this.#clock() + this.configureMs;
    const configuration = payload.subarray(0, CONFIGURATION_BYTES);
    const given = payload.subarray(CONFIGURATION_BYTES, CONFIGURATION_BYTES + 6);
    const wanted = this.#slots.get(slot)?.accessCode ?? Buffer.alloc(6);
    if (referenceCrc(configuration) !== 0xf0b8 || !given.equals(wanted)) return;
    const ticket = configuration.readUInt8(46);
    const flags = configuration.readUInt8(47);
    const secret = Buffer.concat([configuration.subarray(22, 38), configuration.subarray(16, 20)]);
    const isHmac = (ticket & 0x40) !== 0 && (flags & 0x22) === 0x22;
    this.program(slot, {
      secret,
      other: !isHmac,
      variable: (flags & 0x04) !== 0,
      touch: (flags & 0x08) !== 0,
      accessCode: Buffer.from(configuration.subarray(38, 44)),
    });
  }

  #answerWith(data: Buffer): void {
    const crc = Buffer.alloc(2);
    crc.writeUInt16LE(~referenceCrc(data) & 0xffff);
    const padded = Buffer.alloc(Math.ceil((data.length + 2) / 7) * 7);
    Buffer.concat([data, crc]).copy(padded);
    if (this.damagedAnswers > 0) {
      this.damagedAnswers -= 1;
      padded[0] = (padded[0] ?? 0) ^ 1;
    }
    this.#answer = Array.from({ length: padded.length / 7 }, (_, at) => padded.subarray(at * 7, at * 7 + 7));
    this.#nextChunk = 0;
  }

  /** What happened since somebody looked: a finger, or none for too long. */
  #tick(): void {
    const waiting = this.#waiting;
    if (waiting === undefined) return;
    const now = this.#clock();
    const ends = waiting.since + this.touchSeconds * 1000;
    if (waiting.touchedAt <= Math.min(now, ends)) {
      this.#waiting = undefined;
      this.#answerWith(waiting.answer);
    } else if (now >= ends) this.#waiting = undefined;
  }

  #report(flag: number): Buffer {
    const bit = (slot: 1 | 2, isSet: (contents: VirtualSlot) => boolean, value: number): number => {
      const contents = this.#slots.get(slot);
      return contents !== undefined && isSet(contents) ? value : 0;
    };
    const level =
      bit(1, () => true, 0x01) |
      bit(2, () => true, 0x02) |
      bit(1, (contents) => contents.touch ?? true, 0x04) |
      bit(2, (contents) => contents.touch ?? true, 0x08);
    return Buffer.from([0, ...this.#version, this.#sequence, level, 0, flag]);
  }
}

/** The sockets that keys are plugged into. */
export class VirtualOtpBus implements PortFinder {
  readonly #plugged = new Map<string, { readonly key: VirtualOtpKey; readonly since: number }>();
  #plugs = 0;
  /** Places that this user may not open. */
  readonly closed = new Set<string>();

  constructor(...keys: readonly VirtualOtpKey[]) {
    for (const [at, key] of keys.entries()) this.plug(`/dev/hidraw${at}`, key);
  }

  plug(place: string, key: VirtualOtpKey): void {
    this.#plugs += 1;
    this.#plugged.set(place, { key, since: this.#plugs });
  }

  unplug(place: string): void {
    this.#plugged.delete(place);
  }

  places(): Promise<readonly Place[]> {
    const plugged = [...this.#plugged].map(([path, { since }]) => ({ path, instance: String(since) }));
    return Promise.resolve(plugged);
  }

  open(place: string): Promise<FeaturePort> {
    const plugged = this.#plugged.get(place);
    if (plugged === undefined) return Promise.reject(new AgentError('token.removed'));
    if (this.closed.has(place)) return Promise.reject(new AgentError('token.not-permitted'));
    // A handle dies with the plug: the same place may hold another key afterwards.
    const use = <T>(work: (key: VirtualOtpKey) => T): Promise<T> =>
      this.#plugged.get(place)?.since === plugged.since
        ? Promise.resolve(work(plugged.key))
        : Promise.reject(new AgentError('token.removed'));
    return Promise.resolve({
      read: () => use((key) => key.getReport()),
      write: (report) =>
        use((key) => {
          key.setReport(report);
        }),
      close: () => Promise.resolve(),
    });
  }
}

function serialBytes(serial: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(serial);
  return bytes;
}

/** Length without the run of equal bytes at the end. */
function strippedLength(payload: Buffer): number {
  const last = payload[payload.length - 1];
  let length = payload.length;
  while (length > 0 && payload[length - 1] === last) length -= 1;
  return length;
}
