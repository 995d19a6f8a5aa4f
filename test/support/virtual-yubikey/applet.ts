/**
 * The card as a machine of APDUs: bytes in, bytes out, no I/O and no waiting. A command that wants a finger comes back as a
 * question; whoever has the finger answers it. Applets: PIV, and as much of the OTP and management ones as drivers select.
 */
import { INS, parseCommand, type CommandApdu } from './apdu.js';
import {
  authenticate,
  generate,
  getAttestation,
  getMetadata,
  importKey,
  setManagementKey,
  type KeyUse,
} from './key-commands.js';
import { PivState, type PivOptions } from './piv-state.js';
import { changeReference, reset, resetRetryCounter, setPinRetries, verify } from './reference-commands.js';
import { StatusWordError, SW } from './status-word.js';
import { parseTlvMap, tlv } from './tlv.js';

const PIV_AID = Buffer.from('a000000308', 'hex');
const OTP_AID = Buffer.from('a0000005272001', 'hex');
const MANAGEMENT_AID = Buffer.from('a000000527471117', 'hex');
const PIV_VERSION = Buffer.from('000010000100', 'hex');
const CHAINED = 0x10;
const MAX_CHAINED_BYTES = 3072;
/** How long a touch counts for keys with policy `cached`. */
const TOUCH_CACHE_MS = 15_000;
const OTP_SERIAL_REQUEST = 0x10;
const GET_OBJECT_P1P2 = 0x3fff;

type Application = 'piv' | 'otp' | 'management';

/** What became of a command: its answer, or a finger it wants first. */
export type Outcome =
  | { readonly kind: 'answer'; readonly bytes: Buffer; readonly use?: KeyUse }
  | {
      readonly kind: 'touch';
      readonly touched: () => Buffer;
      readonly missed: () => Buffer;
      readonly use: KeyUse;
    };

export class PivApplet {
  readonly state: PivState;
  readonly #now: () => number;
  #selected: Application | undefined;
  /** Parts of a chained command so far, with its first header. */
  #chain: { readonly header: string; readonly parts: Buffer[] } | undefined;
  /** What GET RESPONSE has still to fetch. */
  #pending = Buffer.alloc(0);
  #touchedAt = Number.NEGATIVE_INFINITY;

  /** @param now milliseconds, for the touch cache */
  constructor(options: PivOptions, now: () => number) {
    this.state = new PivState(options);
    this.#now = now;
  }

  /** Power off and on: everything that is not stored is gone. */
  powerCycle(): void {
    this.#selected = undefined;
    this.#chain = undefined;
    this.#pending = Buffer.alloc(0);
    this.#touchedAt = Number.NEGATIVE_INFINITY;
    this.state.forgetAuthentication();
  }

  /** Never throws: whatever comes, a card answers. */
  execute(bytes: Buffer): Outcome {
    try {
      return this.#execute(parseCommand(bytes));
    } catch (failure) {
      if (failure instanceof StatusWordError) return answerOf(wordBytes(failure.statusWord));
      throw failure;
    }
  }

  #execute(part: CommandApdu): Outcome {
    if ((part.cla & ~CHAINED) !== 0) throw new StatusWordError(SW.unknownClass);
    if (part.ins === INS.getResponse) return answerOf(this.#respond(this.#pending, part.expected));
    this.#pending = Buffer.alloc(0);
    const command = this.#assemble(part);
    if (command === undefined) return answerOf(wordBytes(SW.ok));
    const { isPinFresh } = this.state;
    this.state.isPinFresh = false;
    const result = this.#dispatch(command, isPinFresh);
    if (Buffer.isBuffer(result)) return answerOf(this.#respond(result, command.expected));
    return this.#use(result, command.expected);
  }

  /** The whole command, or undefined while parts are missing. @throws StatusWordError 6883, 6700 */
  #assemble(part: CommandApdu): CommandApdu | undefined {
    const header = [part.ins, part.p1, part.p2].join();
    const chain = this.#chain;
    this.#chain = undefined;
    if (chain !== undefined && chain.header !== header) throw new StatusWordError(SW.chainingExpected);
    const parts = [...(chain?.parts ?? []), Buffer.from(part.data)];
    const data = Buffer.concat(parts);
    if (data.length > MAX_CHAINED_BYTES) throw new StatusWordError(SW.wrongLength);
    if ((part.cla & CHAINED) === 0) return { ...part, data };
    this.#chain = { header, parts };
    return undefined;
  }

  #dispatch(command: CommandApdu, isPinFresh: boolean): Buffer | KeyUse {
    if (command.ins === INS.select) return this.#select(command);
    if (this.#selected === 'otp') return this.#otp(command);
    if (this.#selected !== 'piv') throw new StatusWordError(SW.unknownInstruction);
    if (command.ins === INS.authenticate) return authenticate(this.state, command, isPinFresh);
    return this.#piv(command);
  }

  #piv(command: CommandApdu): Buffer {
    const { state } = this;
    switch (command.ins) {
      case INS.verify:
        return verify(state, command);
      case INS.changeReference:
        return changeReference(state, command);
      case INS.resetRetryCounter:
        return resetRetryCounter(state, command);
      case INS.setPinRetries:
        return setPinRetries(state, command);
      case INS.reset:
        return reset(state);
      case INS.generate:
        return generate(state, command);
      case INS.importKey:
        return importKey(state, command);
      case INS.setManagementKey:
        return setManagementKey(state, command);
      case INS.getMetadata:
        return getMetadata(state, command);
      case INS.attest:
        return getAttestation(state, command);
      case INS.getData:
        return state.objects.get(this.#objectId(command), state.isPinVerified);
      case INS.putData:
        return this.#putData(command);
      case INS.getVersion:
        return state.firmware.bytes;
      case INS.getSerial:
        return this.#serial(state.firmware.hasSerial);
      default:
        throw new StatusWordError(SW.unknownInstruction);
    }
  }

  /** An applet that is not there changes nothing; another one than before takes the PIN state away. */
  #select(command: CommandApdu): Buffer {
    if (command.p1 !== 0x04) throw new StatusWordError(SW.wrongParameters);
    const found = applicationOf(command.data);
    if (found === undefined) throw new StatusWordError(SW.fileNotFound);
    if (found !== this.#selected) this.state.forgetAuthentication();
    this.#selected = found;
    const { version, bytes } = this.state.firmware;
    if (found === 'otp') return Buffer.concat([bytes, Buffer.from([0, 0, 0])]);
    if (found === 'management') return Buffer.from(`Virtual mgr - FW version ${version}`);
    return tlv(0x61, tlv(0x4f, PIV_VERSION), tlv(0x79, tlv(0x4f, PIV_AID)));
  }

  #otp(command: CommandApdu): Buffer {
    if (command.ins !== INS.otpRequest || command.p1 !== OTP_SERIAL_REQUEST)
      throw new StatusWordError(SW.unknownInstruction);
    return this.#serial(true);
  }

  #serial(isKnown: boolean): Buffer {
    if (!isKnown) throw new StatusWordError(SW.unknownInstruction);
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(this.state.serial);
    return bytes;
  }

  #objectId(command: CommandApdu): string {
    const id = parseTlvMap(command.data).get(0x5c);
    if (((command.p1 << 8) | command.p2) !== GET_OBJECT_P1P2) throw new StatusWordError(SW.wrongParameters);
    if (id === undefined) throw new StatusWordError(SW.wrongData);
    return id.toString('hex');
  }

  #putData(command: CommandApdu): Buffer {
    this.state.requireManagement();
    const content = parseTlvMap(command.data).get(0x53);
    if (content === undefined) throw new StatusWordError(SW.wrongData);
    this.state.objects.put(this.#objectId(command), content);
    return Buffer.alloc(0);
  }

  #use(use: KeyUse, expected: number): Outcome {
    const isCached = use.touch === 'cached' && this.#now() - this.#touchedAt < TOUCH_CACHE_MS;
    const run = (): Buffer => {
      try {
        return this.#respond(use.run(), expected);
      } catch (failure) {
        if (failure instanceof StatusWordError) return wordBytes(failure.statusWord);
        throw failure;
      }
    };
    if (use.touch === 'never' || isCached) return { kind: 'answer', bytes: run(), use };
    const touched = (): Buffer => {
      this.#touchedAt = this.#now();
      return run();
    };
    return { kind: 'touch', touched, missed: () => wordBytes(SW.securityNotSatisfied), use };
  }

  /** As much as fits, and how much is left. */
  #respond(data: Buffer, expected: number): Buffer {
    const now = data.subarray(0, expected);
    this.#pending = Buffer.from(data.subarray(expected));
    const left = this.#pending.length;
    return Buffer.concat([now, wordBytes(left === 0 ? SW.ok : 0x6100 | (left > 0xff ? 0 : left))]);
  }
}

/** By the beginning of its name: versions and instances follow. */
function applicationOf(aid: Buffer): Application | undefined {
  const names = [
    ['piv', PIV_AID],
    ['otp', OTP_AID],
    ['management', MANAGEMENT_AID],
  ] as const;
  return names.find(([, name]) => aid.subarray(0, name.length).equals(name))?.[0];
}

function answerOf(bytes: Buffer): Outcome {
  return { kind: 'answer', bytes };
}

function wordBytes(statusWord: number): Buffer {
  return Buffer.from([statusWord >> 8, statusWord & 0xff]);
}
