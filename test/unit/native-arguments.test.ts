/** Malformed arguments to every function of the shim: a TypeError that names the argument, never a crash. */
import { tmpdir } from 'node:os';
import { describe, expect, it } from 'vitest';
import { nativeShims } from '../../src/platform/native-shims.js';

type AnyFunction = (...values: readonly unknown[]) => unknown;

const shims = nativeShims() as unknown as Readonly<Record<string, AnyFunction>>;
const leaf = nativeShims().leafImport('ecdsa-p256', Buffer.alloc(32, 1));
const edwards = nativeShims().leafImport('ed25519', Buffer.alloc(32, 1));

function bytes(length: number): Buffer {
  return Buffer.alloc(length, 1);
}

/** Fits no parameter of any function. */
const WRONG = [
  undefined,
  null,
  true,
  Number.NaN,
  1.5,
  -1,
  2 ** 53,
  1n,
  Symbol('x'),
  {},
  () => 1,
  new Date(0),
];
const NOT_BYTES = [
  ...WRONG,
  'text',
  [1, 2],
  new ArrayBuffer(32),
  new DataView(new ArrayBuffer(32)),
  new Int8Array(32),
];
const NOT_BYTES_EITHER = [new Uint16Array(32), new Float64Array(32), new Uint8ClampedArray(32)];
const NOT_TEXT = [...WRONG, bytes(4), '', 'a\0b', 'x'.repeat(200_000), ['a']];
const NOT_LEAVES = [
  ...WRONG.filter((value) => value !== undefined),
  'leaf',
  bytes(32),
  Object.create(leaf) as object,
];
const NOT_A_DESCRIPTOR = [...WRONG, '3', 2 ** 31, -0.5, Infinity];
const NOT_A_FUNCTION = WRONG.filter((value) => typeof value !== 'function');

function notBytesOf(...lengths: readonly number[]): readonly unknown[] {
  return [...NOT_BYTES, ...NOT_BYTES_EITHER, ...lengths.map(bytes)];
}

interface Parameter {
  readonly name: string;
  readonly good: () => unknown;
  readonly bad: readonly unknown[];
}

function parameter(name: string, good: () => unknown, bad: readonly unknown[]): Parameter {
  return { name, good, bad };
}

const ALGORITHM = parameter('algorithm', () => 'ecdsa-p256', [...NOT_TEXT, 'rsa', 'ecdsa-p256 ', 'ED25519']);
const HANDLE = parameter('handle', () => leaf, NOT_LEAVES);
const MESSAGE = parameter('message', () => bytes(3), [...NOT_BYTES, ...NOT_BYTES_EITHER]);
const STATE = parameter('state', () => bytes(72), notBytesOf(0, 71, 73));
const FD = parameter('fd', () => 0, NOT_A_DESCRIPTOR);
const MODULE = parameter('modulePath', () => '/nonexistent.so', [...NOT_TEXT, 'relative.so', './x.so']);
const SESSION = parameter('session', () => bytes(8), notBytesOf(0, 4, 7, 9));
const PIN = parameter('pin', () => bytes(6), notBytesOf(1025));

/** There is no card here: it is looked at last. */
const CARD = parameter('card', () => undefined, [...NOT_LEAVES, leaf]);

const FUNCTIONS: Readonly<Record<string, readonly Parameter[]>> = {
  leafDerive: [
    ALGORITHM,
    parameter('salt', () => bytes(23), notBytesOf(0, 65)),
    parameter('prf', () => bytes(32), notBytesOf(0, 31, 65)),
    parameter('context', () => bytes(100), notBytesOf(0, 513)),
  ],
  leafImport: [ALGORITHM, parameter('secret', () => bytes(32), notBytesOf(0, 31, 33))],
  leafPublic: [HANDLE],
  leafSign: [HANDLE, MESSAGE],
  ecdsaVerifyDigest: [
    parameter('spki', () => bytes(91), notBytesOf(0, 257)),
    parameter('digest', () => bytes(32), notBytesOf(0, 19, 65)),
    parameter('signature', () => bytes(64), notBytesOf(0, 1, 133)),
  ],
  leafSignDigest: [HANDLE, parameter('digest', () => bytes(32), notBytesOf(0, 31, 33))],
  leafSignCounted: [HANDLE, MESSAGE, STATE],
  orderAdvance: [parameter('messageHash', () => bytes(32), notBytesOf(0, 31, 33)), STATE],
  leafExportInto: [HANDLE, parameter('target', () => bytes(32), notBytesOf(0, 31, 33))],
  leafWipe: [HANDLE],
  peerCredentials: [FD],
  watchProcessExit: [
    FD,
    parameter('pid', () => process.pid, [...NOT_A_DESCRIPTOR, 0]),
    parameter('onExit', () => () => undefined, NOT_A_FUNCTION),
  ],
  listenUnix: [
    parameter('path', () => '/nonexistent/socket', NOT_TEXT),
    parameter('backlog', () => 16, [...NOT_A_DESCRIPTOR, 0, 65_536]),
  ],
  directoryFacts: [parameter('path', tmpdir, NOT_TEXT)],
  tryLockFile: [FD],
  dieWithParent: [parameter('expectedParent', () => process.ppid, [...NOT_A_DESCRIPTOR, 0])],
  replaceProcess: [
    parameter('path', () => '/nonexistent', NOT_TEXT),
    parameter('argv', () => ['x'], [
      ...WRONG,
      'x',
      [],
      [1],
      ['a', 'b\0c'],
      ['a', null],
      ['x'.repeat(131_073)],
    ]),
    parameter('environment', () => [], [...WRONG, 'x', [1], ['A=b\0c'], [['A=b']]]),
    parameter('keep', () => [], [...WRONG.filter((value) => value !== undefined), 'x', ['1'], [-1]]),
  ],
  notifySocket: [
    parameter('path', () => '/nonexistent', NOT_TEXT),
    parameter('state', () => 'READY=1', [...NOT_TEXT, 'x'.repeat(4096)]),
  ],
  pkcs11Login: [
    MODULE,
    SESSION,
    parameter('userType', () => 1, [...NOT_A_DESCRIPTOR.filter((v) => v !== 2 ** 31), 2 ** 32]),
    PIN,
  ],
  pkcs11InitToken: [
    MODULE,
    parameter('slot', () => bytes(8), notBytesOf(0, 4, 7, 9)),
    parameter('soPin', () => bytes(6), notBytesOf(1025)),
    parameter('label', () => 'label', [...NOT_TEXT, 'x'.repeat(33), 'ö'.repeat(17)]),
  ],
  pkcs11InitPin: [MODULE, SESSION, PIN],
  pcscOpen: [
    parameter('reader', () => 'no such reader', [...NOT_TEXT, 'x'.repeat(256)]),
    parameter('waitMs', () => 10, [...NOT_A_DESCRIPTOR, 60_001]),
  ],
  pcscTransmit: [CARD, parameter('command', () => bytes(5), notBytesOf(0, 3, 262))],
  pcscClose: [CARD, parameter('reset', () => true, ['true', 1, {}, undefined])],
};

/** They have no argument that could be wrong. */
const WITHOUT_PARAMETERS = ['hardenProcess', 'hardeningFacts', 'pcscReaders', 'socketPair'];

const CASES = Object.entries(FUNCTIONS).flatMap(([name, parameters]) =>
  parameters.map((wrong, index) => ({ name, parameters, wrong, index })),
);

describe('arguments of the native shim', () => {
  it('are tried for every function there is', () => {
    expect([...Object.keys(FUNCTIONS), ...WITHOUT_PARAMETERS].sort()).toEqual(Object.keys(shims).sort());
  });

  it.each(CASES)('$name refuses a wrong $wrong.name', ({ name, parameters, wrong, index }) => {
    for (const bad of wrong.bad) {
      const values = parameters.map((each, at) => (at === index ? bad : each.good()));
      const call = (): unknown => shims[name]?.(...values);
      expect(call).toThrow(TypeError);
      expect(call).toThrow(`${name}: ${wrong.name} must be`);
    }
  });

  it.each(Object.entries(FUNCTIONS))('%s refuses to be called with nothing', (name) => {
    expect(() => shims[name]?.()).toThrow(TypeError);
  });

  it('refuses a digest for Ed25519', () => {
    expect(() => shims['leafSignDigest']?.(edwards, bytes(32))).toThrow(TypeError);
  });

  it('refuses bytes whose memory was given away', () => {
    const moved = new Uint8Array(32);
    structuredClone(moved.buffer, { transfer: [moved.buffer] });
    expect(() => shims['leafImport']?.('ed25519', moved)).toThrow(TypeError);
  });

  it('takes a view into the middle of a larger buffer', () => {
    const whole = Buffer.alloc(64, 9);
    shims['leafExportInto']?.(leaf, whole.subarray(16, 48));
    expect(whole.toString('hex')).toBe('09'.repeat(16) + '01'.repeat(32) + '09'.repeat(16));
  });
});
