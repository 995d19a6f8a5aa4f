/** The codec of the PKCS#11 door: whatever arrives, it ends in an answer or in one kind of error, and costs no more than it weighs. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AgentError } from '../../src/errors/agent-error.js';
import { spkiFromRaw } from '../../src/crypto/public-key.js';
import { Application } from '../../src/endpoints/pkcs11/application.js';
import { answerCall } from '../../src/endpoints/pkcs11/call-handlers.js';
import { CertificateFolder } from '../../src/endpoints/pkcs11/certificate-folder.js';
import { certificateNames } from '../../src/endpoints/pkcs11/certificate-names.js';
import { KeyShelf } from '../../src/endpoints/pkcs11/key-shelf.js';
import { RPC_CALLS } from '../../src/endpoints/pkcs11/rpc-calls.js';
import { MAX_BODY_BYTES, RpcFrames } from '../../src/endpoints/pkcs11/rpc-frames.js';
import { RpcReader } from '../../src/endpoints/pkcs11/rpc-reader.js';
import { RpcWriter } from '../../src/endpoints/pkcs11/rpc-writer.js';
import { leafRecord } from '../support/software-keyring.js';

const HEADER_BYTES = 12;

/** An application with a P-256 and an RSA key in view, whose signatures never come. */
function application(): Application {
  const modulus = spkiFromRaw('rsa-3072', Buffer.alloc(384, 0xff)).toString('base64');
  const records = [
    leafRecord(),
    { ...leafRecord(), algorithm: 'rsa-3072', keyId: '11'.repeat(32), publicKey: modulus } as const,
  ];
  const shelf = new KeyShelf({ blindKeys: () => records }, new CertificateFolder('/nonexistent'));
  const peer = { uid: 1, gid: 1, pid: 1, socket: '/nonexistent/pkcs11.sock' };
  const made = new Application({ signing: { submit: () => undefined }, shelf, peer });
  made.isInitialized = true;
  made.openSession(4);
  return made;
}

/** Numbers that mean something to the calls: sessions, slots, objects, classes, attribute types, lengths. */
const interesting = fc.oneof(
  fc.constantFrom(
    0,
    1,
    2,
    3,
    4,
    8,
    9,
    10,
    11,
    13,
    18,
    19,
    64,
    256,
    0x102,
    0x103,
    0x1041,
    0x1044,
    0x40,
    0x120,
    0x180,
    0x40000211,
  ),
  fc.constantFrom(0x7fffffff, 0xffffffff),
  fc.nat(),
);

/** Bytes that look like arguments: pieces of every shape that the codec knows, in any order. */
const argumentBytes = fc
  .array(
    fc.oneof(
      fc.nat(255).map((value) => Buffer.from([value])),
      interesting.map((value) =>
        new RpcWriter(0, 1, '')
          .u32(value >>> 0)
          .frame()
          .subarray(-4),
      ),
      interesting.map((value) => new RpcWriter(0, 1, '').ulong(value).frame().subarray(-8)),
      fc.uint8Array({ maxLength: 80 }).map((bytes) => Buffer.from(bytes)),
      fc.uint8Array({ maxLength: 80 }).map((bytes) => {
        const frame = new RpcWriter(0, 1, '').byteArray(bytes).frame();
        return frame.subarray(frame.length - bytes.length - 5);
      }),
    ),
    { maxLength: 12 },
  )
  .map((parts) => Buffer.concat(parts));

describe('calls', () => {
  it('answer any arguments, or say that they are malformed', () => {
    const target = application();
    fc.assert(
      fc.property(fc.constantFrom(...RPC_CALLS), argumentBytes, ({ name, response }, bytes) => {
        if (name === 'Finalize' || name === 'CloseSession' || name === 'CloseAllSessions') return;
        try {
          const answer = answerCall(name, target, new RpcReader(bytes));
          if (answer instanceof Function || answer.outcome === 'failed') return;
          const writer = new RpcWriter(1, 1, response);
          answer.write(writer);
          expect(writer.frame().readUInt32BE(8)).toBe(writer.frame().length - HEADER_BYTES);
        } catch (error) {
          expect(error).toBeInstanceOf(AgentError);
          expect((error as AgentError).code).toBe('pkcs11.malformed');
        }
      }),
      { numRuns: 3000 },
    );
  });

  it('are found by id and exact signature, and by nothing else', () => {
    fc.assert(
      fc.property(fc.nat(300), fc.string({ maxLength: 8 }), (id, signature) => {
        const frame = new RpcWriter(1, id, signature).frame();
        const known = RPC_CALLS.find((call) => call.id === id && call.request === signature);
        const reader = new RpcReader(frame.subarray(HEADER_BYTES));
        if (known === undefined) expect(() => reader.call()).toThrow(AgentError);
        else expect(reader.call()).toBe(known);
      }),
    );
  });
});

describe('frames', () => {
  it('come out as they went in, however the stream is cut', () => {
    const bodies = fc.array(fc.uint8Array({ maxLength: 300 }), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(bodies, fc.integer({ min: 1, max: 50 }), (sent, step) => {
        const frames = sent.map((body, at) => {
          const head = Buffer.alloc(HEADER_BYTES);
          head.writeUInt32BE(at, 0);
          head.writeUInt32BE(3, 4);
          head.writeUInt32BE(body.length, 8);
          return Buffer.concat([head, Buffer.from('opt'), body]);
        });
        const stream = Buffer.concat([Buffer.from([2]), ...frames]);
        const reader = new RpcFrames();
        const received: Buffer[] = [];
        for (let at = 0; at < stream.length; at += step) {
          reader.push(stream.subarray(at, at + step));
          for (let frame = reader.next(); frame !== undefined; frame = reader.next()) {
            expect(frame.callCode).toBe(received.length);
            received.push(Buffer.from(frame.body));
          }
        }
        expect(reader.version).toBe(2);
        expect(received).toEqual(sent.map((body) => Buffer.from(body)));
      }),
    );
  });

  it('over the limit are refused before their bytes have come', () => {
    fc.assert(
      fc.property(fc.integer({ min: MAX_BODY_BYTES + 1, max: 0xffffffff }), (length) => {
        const head = Buffer.alloc(1 + HEADER_BYTES);
        head.writeUInt32BE(length, 9);
        const reader = new RpcFrames();
        reader.push(head);
        expect(() => reader.next()).toThrow(AgentError);
      }),
    );
  });
});

describe('templates', () => {
  it('nested without end are refused', () => {
    const level = Buffer.from('0000000140000211' + '01' + '00000018', 'hex');
    const deep = Buffer.concat(Array.from({ length: 5000 }, () => level));
    expect(() => new RpcReader(deep).attributes()).toThrow('nested too deeply');
    const rooms = Buffer.from('000000014000021100000018'.repeat(5000), 'hex');
    expect(() => new RpcReader(rooms).attributeRooms()).toThrow('nested too deeply');
  });

  it('of very many attributes are refused before any is read', () => {
    expect(() => new RpcReader(Buffer.from('ffffffff', 'hex')).attributes()).toThrow('too many attributes');
  });
});

describe('certificates', () => {
  it('of any bytes end in names or in an error', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          expect(certificateNames(Buffer.from(bytes)).subject.length).toBeLessThanOrEqual(bytes.length);
        } catch (error) {
          expect(error).toBeInstanceOf(AgentError);
        }
      }),
    );
  });
});
