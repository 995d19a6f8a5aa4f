/** Signing (PKCS#11 v2.40 section 5.11). Whatever the mechanism, the agent sees a digest: every one of these is a blind request. */
import { DONE, failed, hasRoom, values, type Answer } from './answer.js';
import { SIGNATURE_BYTES, type Application } from './application.js';
import type { CallHandler } from './call.js';
import { inSession } from './calls-of-session.js';
import { CKO, CKR } from './cryptoki.js';
import type { Session } from './session.js';
import { SIGN_MECHANISMS, SignInput } from './sign-input.js';

export const signInit: CallHandler = (application, args) => {
  const handle = args.ulong();
  const mechanism = args.mechanism(ULONG_BYTES);
  const keyHandle = args.ulong();
  args.end();
  return inSession(application, handle, (session) => {
    if (mechanism === undefined) {
      session.signing = undefined;
      return DONE;
    }
    if (session.signing !== undefined) return failed(CKR.OPERATION_ACTIVE);
    if (!SIGN_MECHANISMS.includes(mechanism.type)) return failed(CKR.MECHANISM_INVALID);
    if (!isNoParameter(mechanism.parameter)) return failed(CKR.MECHANISM_PARAM_INVALID);
    const key = application.object(keyHandle);
    if (key === undefined) return failed(CKR.KEY_HANDLE_INVALID);
    if (key.class !== CKO.PRIVATE_KEY) return failed(CKR.KEY_FUNCTION_NOT_PERMITTED);
    session.signing = { key, input: new SignInput(mechanism.type) };
    return DONE;
  });
};

export const sign: CallHandler = (application, args) => {
  const handle = args.ulong();
  const data = args.byteArray();
  const room = args.room();
  args.end();
  return inSession(application, handle, (session) => {
    const { signing } = session;
    if (signing === undefined) return failed(CKR.OPERATION_NOT_INITIALIZED);
    if (signing.input.isStarted) return failed(CKR.OPERATION_ACTIVE);
    if (!hasRoom(room, SIGNATURE_BYTES)) return sizeOfSignature();
    signing.input.add(data);
    return finish(application, session, room);
  });
};

export const signUpdate: CallHandler = (application, args) => {
  const handle = args.ulong();
  const part = args.byteArray();
  args.end();
  return inSession(application, handle, ({ signing }) => {
    if (signing === undefined) return failed(CKR.OPERATION_NOT_INITIALIZED);
    signing.input.add(part);
    return DONE;
  });
};

export const signFinal: CallHandler = (application, args) => {
  const handle = args.ulong();
  const room = args.room();
  args.end();
  return inSession(application, handle, (session) => {
    if (session.signing === undefined) return failed(CKR.OPERATION_NOT_INITIALIZED);
    if (!hasRoom(room, SIGNATURE_BYTES)) return sizeOfSignature();
    return finish(application, session, room);
  });
};

const ULONG_BYTES = 8;
const NULL_POINTER = 0xffffffff;

/** The operation stays active: the caller comes again with room. */
function sizeOfSignature(): Answer {
  return values((writer) => {
    writer.count(SIGNATURE_BYTES);
  });
}

function finish(application: Application, session: Session, room: number): Answer | Promise<Answer> {
  const { signing } = session;
  session.signing = undefined;
  const digest = signing?.input.digest();
  if (signing === undefined || digest === undefined) return failed(CKR.DATA_LEN_RANGE);
  return application.sign(signing.key, digest, room);
}

/** p11-kit writes nothing from 0.25 on, and a null pointer before. */
function isNoParameter(parameter: Buffer): boolean {
  return parameter.length === 0 || (parameter.length === 4 && parameter.readUInt32BE(0) === NULL_POINTER);
}
