/** Calls about sessions, login and random numbers (PKCS#11 v2.40 sections 5.6 and 5.16). No login is needed; an empty one is accepted. */
import { randomBytes } from 'node:crypto';
import { bytesFor, DONE, failed, values, type Answer, type LateAnswer } from './answer.js';
import type { Application } from './application.js';
import type { CallHandler } from './call.js';
import { SLOT_ID } from './calls-of-token.js';
import { CKF, CKR, CKS, CKU_USER } from './cryptoki.js';
import type { Session } from './session.js';

/** Random bytes in one call; ours. */
const MAX_RANDOM_BYTES = 64 * 1024;

/** Answers with `then` for a session that is open. */
export function inSession(
  application: Application,
  handle: number,
  then: (session: Session) => Answer | LateAnswer,
): Answer | LateAnswer {
  const session = application.sessions.get(handle);
  return session === undefined ? failed(CKR.SESSION_HANDLE_INVALID) : then(session);
}

export const openSession: CallHandler = (application, args) => {
  const slot = args.ulong();
  const flags = args.ulong();
  args.end();
  if (slot !== SLOT_ID) return failed(CKR.SLOT_ID_INVALID);
  if ((flags & CKF.SERIAL_SESSION) === 0) return failed(CKR.SESSION_PARALLEL_NOT_SUPPORTED);
  const session = application.openSession(flags & (CKF.SERIAL_SESSION | CKF.RW_SESSION));
  if (session === undefined) return failed(CKR.SESSION_COUNT);
  return values((writer) => {
    writer.ulong(session.handle);
  });
};

export const closeSession: CallHandler = (application, args) => {
  const handle = args.ulong();
  args.end();
  return application.closeSession(handle) ? DONE : failed(CKR.SESSION_HANDLE_INVALID);
};

export const closeAllSessions: CallHandler = (application, args) => {
  const slot = args.ulong();
  args.end();
  if (slot !== SLOT_ID) return failed(CKR.SLOT_ID_INVALID);
  application.closeAllSessions();
  return DONE;
};

export const getSessionInfo: CallHandler = (application, args) => {
  const handle = args.ulong();
  args.end();
  return inSession(application, handle, ({ flags }) => {
    const state = application.isLoggedIn ? CKS.RO_USER : CKS.RO_PUBLIC;
    const readWrite = (flags & CKF.RW_SESSION) !== 0 ? CKS.RW_PUBLIC - CKS.RO_PUBLIC : 0;
    return values((writer) => {
      writer
        .ulong(SLOT_ID)
        .ulong(state + readWrite)
        .ulong(flags)
        .ulong(0);
    });
  });
};

export const login: CallHandler = (application, args) => {
  const handle = args.ulong();
  const user = args.ulong();
  const pin = args.byteArray();
  const isEmpty = pin.length === 0;
  // The token's PIN is typed into "touchstone unlock" and nowhere else.
  pin.fill(0);
  args.end();
  return inSession(application, handle, () => {
    if (user !== CKU_USER) return failed(CKR.USER_TYPE_INVALID);
    if (application.isLoggedIn) return failed(CKR.USER_ALREADY_LOGGED_IN);
    if (!isEmpty) return failed(CKR.PIN_INCORRECT);
    application.isLoggedIn = true;
    return DONE;
  });
};

export const logout: CallHandler = (application, args) => {
  const handle = args.ulong();
  args.end();
  return inSession(application, handle, () => {
    if (!application.isLoggedIn) return failed(CKR.USER_NOT_LOGGED_IN);
    application.isLoggedIn = false;
    return DONE;
  });
};

/** Taken and not used: the system's own generator needs none. */
export const seedRandom: CallHandler = (application, args) => {
  const handle = args.ulong();
  args.byteArray();
  args.end();
  return inSession(application, handle, () => DONE);
};

export const generateRandom: CallHandler = (application, args) => {
  const handle = args.ulong();
  const wanted = args.room();
  args.end();
  return inSession(application, handle, () =>
    wanted > MAX_RANDOM_BYTES ? failed(CKR.ARGUMENTS_BAD) : bytesFor(wanted, randomBytes(wanted)),
  );
};
