/** Signing (PKCS#11 v2.40 section 5.11). Whatever the mechanism, the agent sees a digest: every one of these is a blind request. */
import { ALGORITHMS } from '../../crypto/algorithms.js';
import { DONE, failed, hasRoom, values, type Answer, type LateAnswer } from './answer.js';
import type { Application } from './application.js';
import type { CallHandler } from './call.js';
import { inSession } from './calls-of-session.js';
import { CKO, CKR } from './cryptoki.js';
import type { Session, SignOperation } from './session.js';
import { SignInput } from './sign-input.js';
import { fitsKey, parameterHash, SIGN_MECHANISMS } from './sign-mechanisms.js';

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
    const known = SIGN_MECHANISMS.get(mechanism.type);
    if (known === undefined) return failed(CKR.MECHANISM_INVALID);
    const hash = parameterHash(known, mechanism.parameter);
    if (hash === undefined) return failed(CKR.MECHANISM_PARAM_INVALID);
    const key = application.object(keyHandle);
    if (key === undefined) return failed(CKR.KEY_HANDLE_INVALID);
    if (key.class !== CKO.PRIVATE_KEY) return failed(CKR.KEY_FUNCTION_NOT_PERMITTED);
    if (!fitsKey(known, key.algorithm)) return failed(CKR.KEY_TYPE_INCONSISTENT);
    session.signing = { key, input: new SignInput(key.algorithm, known, hash) };
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
    if (!hasRoom(room, signatureBytes(signing))) return sizeOfSignature(signing);
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
    const { signing } = session;
    if (signing === undefined) return failed(CKR.OPERATION_NOT_INITIALIZED);
    if (!hasRoom(room, signatureBytes(signing))) return sizeOfSignature(signing);
    return finish(application, session, room);
  });
};

const ULONG_BYTES = 8;

/** The operation stays active: the caller comes again with room. */
function sizeOfSignature(signing: SignOperation): Answer {
  return values((writer) => {
    writer.count(signatureBytes(signing));
  });
}

function signatureBytes({ key }: SignOperation): number {
  return ALGORITHMS[key.algorithm].signatureBytes;
}

function finish(application: Application, session: Session, room: number): Answer | LateAnswer {
  const { signing } = session;
  session.signing = undefined;
  if (signing === undefined) return failed(CKR.OPERATION_NOT_INITIALIZED);
  const input = signing.input.end();
  return typeof input === 'number' ? failed(input) : application.sign(signing.key, input, room);
}
