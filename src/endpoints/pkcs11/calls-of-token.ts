/** Calls about library, slot and token (PKCS#11 v2.40 sections 5.4 and 5.5): one slot, one token, always there. */
import { DONE, failed, numbersFor, values } from './answer.js';
import type { CallHandler } from './call.js';
import { CKF, CKR, UNAVAILABLE } from './cryptoki.js';
import { MAX_SESSIONS } from './application.js';
import { SIGN_MECHANISMS, type SignMechanism } from './sign-mechanisms.js';

export const SLOT_ID = 1;
const MANUFACTURER = 'Touchstone';
const TOKEN_LABEL = 'touchstone';
const MODEL = 'agent';
const SERIAL = '1';
const CRYPTOKI_VERSION = [2, 40] as const;
const OUR_VERSION = [1, 0] as const;
/** Fixed text that the client module opens with. */
const HANDSHAKE = Buffer.from('PRIVATE-GNOME-KEYRING-PKCS11-PROTOCOL-V-1', 'latin1');
const TOKEN_FLAGS = CKF.RNG | CKF.WRITE_PROTECTED | CKF.USER_PIN_INITIALIZED | CKF.TOKEN_INITIALIZED;
/** Shortest and longest key in bits, and flags. */
const MECHANISM_INFO: Readonly<Record<SignMechanism['family'], readonly [number, number, number]>> = {
  ecdsa: [256, 384, CKF.SIGN | CKF.EC_F_P | CKF.EC_NAMEDCURVE | CKF.EC_UNCOMPRESS],
  'rsa-pkcs1': [3072, 3072, CKF.SIGN],
  'rsa-pss': [3072, 3072, CKF.SIGN],
};
const DONT_BLOCK = 1;

export const initialize: CallHandler = (application, args) => {
  const handshake = args.byteArray();
  args.byte();
  args.byteArray();
  args.end();
  if (!handshake.equals(HANDSHAKE)) return failed(CKR.GENERAL_ERROR);
  if (application.isInitialized) return failed(CKR.CRYPTOKI_ALREADY_INITIALIZED);
  application.isInitialized = true;
  return DONE;
};

export const finalize: CallHandler = (application, args) => {
  args.end();
  application.closeAllSessions();
  application.isInitialized = false;
  return DONE;
};

export const getInfo: CallHandler = (_application, args) => {
  args.end();
  return values((writer) => {
    writer
      .version(...CRYPTOKI_VERSION)
      .padded(MANUFACTURER, 32)
      .ulong(0);
    writer.padded('Touchstone signing agent', 32).version(...OUR_VERSION);
  });
};

export const getSlotList: CallHandler = (_application, args) => {
  args.byte();
  const room = args.room();
  args.end();
  return numbersFor(room, [SLOT_ID]);
};

export const getSlotInfo: CallHandler = (_application, args) => {
  const slot = args.ulong();
  args.end();
  if (slot !== SLOT_ID) return failed(CKR.SLOT_ID_INVALID);
  return values((writer) => {
    writer.padded('Touchstone signing agent', 64).padded(MANUFACTURER, 32).ulong(CKF.TOKEN_PRESENT);
    writer.version(...OUR_VERSION).version(...OUR_VERSION);
  });
};

export const getTokenInfo: CallHandler = (application, args) => {
  const slot = args.ulong();
  args.end();
  if (slot !== SLOT_ID) return failed(CKR.SLOT_ID_INVALID);
  const sessions = [...application.sessions.values()];
  const readWrite = sessions.filter(({ flags }) => (flags & CKF.RW_SESSION) !== 0).length;
  return values((writer) => {
    writer.padded(TOKEN_LABEL, 32).padded(MANUFACTURER, 32).padded(MODEL, 16).padded(SERIAL, 16);
    writer.ulong(TOKEN_FLAGS);
    writer.ulong(MAX_SESSIONS).ulong(sessions.length).ulong(MAX_SESSIONS).ulong(readWrite);
    // Longest and shortest PIN: there is none.
    writer.ulong(0).ulong(0);
    for (let memory = 0; memory < 4; memory += 1) writer.ulong(UNAVAILABLE);
    writer
      .version(...OUR_VERSION)
      .version(...OUR_VERSION)
      .padded('', 16);
  });
};

export const getMechanismList: CallHandler = (_application, args) => {
  const slot = args.ulong();
  const room = args.room();
  args.end();
  return slot === SLOT_ID ? numbersFor(room, [...SIGN_MECHANISMS.keys()]) : failed(CKR.SLOT_ID_INVALID);
};

export const getMechanismInfo: CallHandler = (_application, args) => {
  const slot = args.ulong();
  const mechanism = args.ulong();
  args.end();
  if (slot !== SLOT_ID) return failed(CKR.SLOT_ID_INVALID);
  const known = SIGN_MECHANISMS.get(mechanism);
  if (known === undefined) return failed(CKR.MECHANISM_INVALID);
  const [shortest, longest, flags] = MECHANISM_INFO[known.family];
  return values((writer) => {
    writer.ulong(shortest).ulong(longest).ulong(flags);
  });
};

/** The slot never changes, and nobody waits here for ever. */
export const waitForSlotEvent: CallHandler = (_application, args) => {
  const flags = args.ulong();
  args.end();
  return failed((flags & DONT_BLOCK) !== 0 ? CKR.NO_EVENT : CKR.FUNCTION_NOT_SUPPORTED);
};
