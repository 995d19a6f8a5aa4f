/** Calls about objects (PKCS#11 v2.40 section 5.7): search and read; nothing can be made, changed or destroyed here. */
import { DONE, failed, values } from './answer.js';
import type { CallHandler } from './call.js';
import { inSession } from './calls-of-session.js';
import { CKR, UNAVAILABLE } from './cryptoki.js';
import { isSensitive, type KeyObject } from './key-objects.js';
import { sizeOnly, wireForm, type AttributeRoom, type RpcAttribute } from './rpc-attribute.js';

export const findObjectsInit: CallHandler = (application, args) => {
  const handle = args.ulong();
  const template = args.attributes();
  args.end();
  return inSession(application, handle, (session) => {
    if (session.found !== undefined) return failed(CKR.OPERATION_ACTIVE);
    const view = application.refresh();
    session.found = [...view].filter(([, object]) => matches(object, template)).map(([found]) => found);
    return DONE;
  });
};

export const findObjects: CallHandler = (application, args) => {
  const handle = args.ulong();
  const room = args.room();
  args.end();
  return inSession(application, handle, (session) => {
    if (session.found === undefined) return failed(CKR.OPERATION_NOT_INITIALIZED);
    const told = session.found.splice(0, room);
    return values((writer) => {
      writer.ulongArray(told);
    });
  });
};

export const findObjectsFinal: CallHandler = (application, args) => {
  const handle = args.ulong();
  args.end();
  return inSession(application, handle, (session) => {
    if (session.found === undefined) return failed(CKR.OPERATION_NOT_INITIALIZED);
    session.found = undefined;
    return DONE;
  });
};

export const getAttributeValue: CallHandler = (application, args) => {
  const handle = args.ulong();
  const objectHandle = args.ulong();
  const rooms = args.attributeRooms();
  args.end();
  return inSession(application, handle, () => {
    const object = application.object(objectHandle);
    if (object === undefined) return failed(CKR.OBJECT_HANDLE_INVALID);
    const shown = rooms.map((room) => showAttribute(object, room));
    const rv = shown.find((attribute) => attribute.rv !== CKR.OK)?.rv ?? CKR.OK;
    return values((writer) => {
      writer.u32(shown.length);
      for (const { attribute } of shown) writer.attribute(attribute);
      writer.ulong(rv);
    });
  });
};

export const getObjectSize: CallHandler = (application, args) => {
  const handle = args.ulong();
  const objectHandle = args.ulong();
  args.end();
  return inSession(application, handle, () =>
    application.object(objectHandle) === undefined
      ? failed(CKR.OBJECT_HANDLE_INVALID)
      : values((writer) => {
          writer.ulong(UNAVAILABLE);
        }),
  );
};

export const refuseWriting: CallHandler = () => failed(CKR.TOKEN_WRITE_PROTECTED);

function matches(object: KeyObject, template: readonly RpcAttribute[]): boolean {
  return template.every(({ type, wire }) => {
    const own = object.attributes.get(type)?.wire;
    return own !== undefined && wire !== undefined && own.equals(wire);
  });
}

interface Shown {
  readonly attribute: RpcAttribute;
  readonly rv: number;
}

/** Section 5.7.5 (C_GetAttributeValue): one attribute after the other, whatever happens to the others. */
function showAttribute(object: KeyObject, { type, room }: AttributeRoom): Shown {
  const own = object.attributes.get(type);
  if (own === undefined) {
    const rv = isSensitive(object, type) ? CKR.ATTRIBUTE_SENSITIVE : CKR.ATTRIBUTE_TYPE_INVALID;
    return { attribute: { type, length: 0, wire: undefined }, rv };
  }
  if (room === 0) return { attribute: { ...own, wire: sizeOnly(wireForm(type)) }, rv: CKR.OK };
  if (room >= own.length) return { attribute: own, rv: CKR.OK };
  return { attribute: { type, length: 0, wire: undefined }, rv: CKR.BUFFER_TOO_SMALL };
}
