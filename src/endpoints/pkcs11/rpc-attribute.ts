/** Attributes as they travel: what follows type and length depends on the type (p11-kit RPC, version 0). */
import { CKA } from './cryptoki.js';

/** An attribute with its value in wire form; a template that names a type without a value has no `wire`. */
export interface RpcAttribute {
  readonly type: number;
  /** Size of the value in the caller's memory, bytes. */
  readonly length: number;
  readonly wire: Buffer | undefined;
}

/** Room a caller has for the value of one attribute, bytes; 0 asks for the size. */
export interface AttributeRoom {
  readonly type: number;
  readonly room: number;
}

/** How a value travels: one byte, 64 bits, counted attributes, counted 64-bit numbers, or counted bytes. */
export type WireForm = 'byte' | 'ulong' | 'attributes' | 'mechanisms' | 'bytes';

/** Numbers of attributes that no object here has, but that may stand in a template. */
const OTHER_BYTES = [0x107, 0x10d, 0x201, 0x301, 0x302, 0x407] as const;
const OTHER_ULONGS = [
  0x88, 0x133, 0x134, 0x160, 0x161, 0x300, 0x400, 0x401, 0x402, 0x403, 0x404, 0x406, 0x500,
] as const;

const FORMS: ReadonlyMap<number, WireForm> = new Map<number, WireForm>([
  ...OTHER_BYTES.map((type) => [type, 'byte'] as const),
  ...OTHER_ULONGS.map((type) => [type, 'ulong'] as const),
  ...[
    CKA.TOKEN,
    CKA.PRIVATE,
    CKA.TRUSTED,
    CKA.SENSITIVE,
    CKA.ENCRYPT,
    CKA.DECRYPT,
    CKA.WRAP,
    CKA.UNWRAP,
    CKA.SIGN,
    CKA.SIGN_RECOVER,
    CKA.VERIFY,
    CKA.VERIFY_RECOVER,
    CKA.DERIVE,
    CKA.EXTRACTABLE,
    CKA.LOCAL,
    CKA.NEVER_EXTRACTABLE,
    CKA.ALWAYS_SENSITIVE,
    CKA.MODIFIABLE,
    CKA.COPYABLE,
    CKA.ALWAYS_AUTHENTICATE,
    CKA.WRAP_WITH_TRUSTED,
  ].map((type) => [type, 'byte'] as const),
  ...[
    CKA.CLASS,
    CKA.CERTIFICATE_TYPE,
    CKA.CERTIFICATE_CATEGORY,
    CKA.KEY_TYPE,
    CKA.KEY_GEN_MECHANISM,
    CKA.MODULUS_BITS,
  ].map((type) => [type, 'ulong'] as const),
  [CKA.WRAP_TEMPLATE, 'attributes'],
  [CKA.UNWRAP_TEMPLATE, 'attributes'],
  [CKA.DERIVE_TEMPLATE, 'attributes'],
  [CKA.ALLOWED_MECHANISMS, 'mechanisms'],
]);

/** CKA_DESTROYABLE and all types nobody told p11-kit of are bytes there, too. */
export function wireForm(type: number): WireForm {
  return FORMS.get(type) ?? 'bytes';
}

/** The wire form of a value whose bytes are not wanted, only their number. */
export function sizeOnly(form: WireForm): Buffer {
  switch (form) {
    case 'byte':
      return Buffer.alloc(1);
    case 'ulong':
      return Buffer.alloc(8);
    case 'attributes':
    case 'mechanisms':
      return Buffer.alloc(4);
    case 'bytes':
      return Buffer.from([0xff, 0xff, 0xff, 0xff]);
  }
}
