/** The applet without reader or daemon, asked APDU by APDU: chaining and GET RESPONSE done, status words looked at. */
import { INS } from './apdu.js';
import { PivApplet, type Outcome } from './applet.js';
import { attestationAuthority } from './attestation-authority.js';
import type { FirmwareVersion } from './firmware.js';
import { proveManagement } from './management-dialogue.js';
import { FACTORY_PIN } from './piv-state.js';
import { REFERENCE_BYTES, type LastWrongTry } from './reference-value.js';
import { tlv } from './tlv.js';

const CHAINED = 0x10;
const PART_BYTES = 255;

export class BareApplet {
  readonly applet: PivApplet;
  /** What the applet takes for the time, milliseconds. */
  clock = 0;

  /** Powered, with the PIV applet selected. */
  constructor(firmware: FirmwareVersion = '5.4.3', lastWrongTry: LastWrongTry = 'blocked') {
    const options = { serial: 0x01020304, firmware, lastWrongTry, vendor: attestationAuthority() };
    this.applet = new PivApplet(options, () => this.clock);
    this.selectPiv();
  }

  selectPiv(): Buffer {
    return this.send(INS.select, 4, 0, Buffer.from('a000000308', 'hex'));
  }

  /** One APDU as it is. */
  outcome(ins: number, p1: number, p2: number, data: Buffer = Buffer.alloc(0), cla = 0): Outcome {
    const length = data.length === 0 ? [] : [data.length];
    return this.applet.execute(Buffer.concat([Buffer.from([cla, ins, p1, p2, ...length]), data]));
  }

  /** One command that nobody has to touch the card for; the whole response with its status word. */
  send(ins: number, p1: number, p2: number, data: Buffer = Buffer.alloc(0)): Buffer {
    const last = Math.max(0, Math.ceil(data.length / PART_BYTES) - 1);
    for (let part = 0; part < last; part += 1) {
      const piece = data.subarray(part * PART_BYTES, (part + 1) * PART_BYTES);
      const chained = answerOf(this.outcome(ins, p1, p2, piece, CHAINED));
      if (wordOf(chained) !== '9000') return chained;
    }
    let response = answerOf(this.outcome(ins, p1, p2, data.subarray(last * PART_BYTES)));
    while (response.at(-2) === 0x61)
      response = Buffer.concat([response.subarray(0, -2), answerOf(this.outcome(INS.getResponse, 0, 0))]);
    return response;
  }

  /** The status word, hex. */
  verifyPin(pin: Buffer = reference(FACTORY_PIN)): string {
    return wordOf(this.send(INS.verify, 0, 0x80, pin));
  }

  /** @param policies AA and AB elements */
  generate(slot: number, algorithm: number, policies: Buffer = Buffer.alloc(0)): Buffer {
    return this.send(INS.generate, 0, slot, tlv(0xac, tlv(0x80, Buffer.from([algorithm])), policies));
  }

  /** Proves the factory's management key. */
  prove(): void {
    const { algorithm } = this.applet.state.management;
    proveManagement((data) => this.send(INS.authenticate, algorithm, 0x9b, data), algorithm);
  }
}

/** @throws Error when the card wants a touch first */
export function answerOf(outcome: Outcome): Buffer {
  if (outcome.kind === 'touch') throw new Error('the card wants a touch');
  return outcome.bytes;
}

/** Status word of a response, hex. */
export function wordOf(response: Buffer): string {
  return response.subarray(-2).toString('hex');
}

/** Response without its status word, which has to be success. */
export function bodyOf(response: Buffer): Buffer {
  if (wordOf(response) !== '9000') throw new Error(`the card said ${wordOf(response)}`);
  return response.subarray(0, -2);
}

/** PIN or PUK as commands carry it. */
export function reference(value: string): Buffer {
  return Buffer.concat([Buffer.from(value), Buffer.alloc(REFERENCE_BYTES - value.length, 0xff)]);
}

/** Template of a signature. */
export function signing(input: Buffer): Buffer {
  return tlv(0x7c, tlv(0x82), tlv(0x81, input));
}

/** PIN and touch policy of GENERATE and IMPORT. */
export function policies(pin: number, touch: number): Buffer {
  return Buffer.concat([tlv(0xaa, Buffer.from([pin])), tlv(0xab, Buffer.from([touch]))]);
}
