/** Which calls are answered, and by what; a call that is not here is not supported. */
import { failed, type Answer, type LateAnswer } from './answer.js';
import type { Application } from './application.js';
import type { CallHandler } from './call.js';
import * as objects from './calls-of-objects.js';
import * as sessions from './calls-of-session.js';
import * as signing from './calls-of-signing.js';
import * as token from './calls-of-token.js';
import { CKR } from './cryptoki.js';
import type { CallName } from './rpc-calls.js';
import type { RpcReader } from './rpc-reader.js';

const HANDLERS: ReadonlyMap<string, CallHandler> = new Map<CallName, CallHandler>([
  ['Initialize', token.initialize],
  ['Finalize', token.finalize],
  ['GetInfo', token.getInfo],
  ['GetSlotList', token.getSlotList],
  ['GetSlotInfo', token.getSlotInfo],
  ['GetTokenInfo', token.getTokenInfo],
  ['GetMechanismList', token.getMechanismList],
  ['GetMechanismInfo', token.getMechanismInfo],
  ['WaitForSlotEvent', token.waitForSlotEvent],
  ['OpenSession', sessions.openSession],
  ['CloseSession', sessions.closeSession],
  ['CloseAllSessions', sessions.closeAllSessions],
  ['GetSessionInfo', sessions.getSessionInfo],
  ['Login', sessions.login],
  ['Logout', sessions.logout],
  ['SeedRandom', sessions.seedRandom],
  ['GenerateRandom', sessions.generateRandom],
  ['FindObjectsInit', objects.findObjectsInit],
  ['FindObjects', objects.findObjects],
  ['FindObjectsFinal', objects.findObjectsFinal],
  ['GetAttributeValue', objects.getAttributeValue],
  ['GetObjectSize', objects.getObjectSize],
  ['InitToken', objects.refuseWriting],
  ['InitPIN', objects.refuseWriting],
  ['SetPIN', objects.refuseWriting],
  ['CreateObject', objects.refuseWriting],
  ['CopyObject', objects.refuseWriting],
  ['DestroyObject', objects.refuseWriting],
  ['SetAttributeValue', objects.refuseWriting],
  ['GenerateKey', objects.refuseWriting],
  ['GenerateKeyPair', objects.refuseWriting],
  ['SignInit', signing.signInit],
  ['Sign', signing.sign],
  ['SignUpdate', signing.signUpdate],
  ['SignFinal', signing.signFinal],
]);

/** @throws AgentError `pkcs11.malformed` for arguments that are not those of the call */
export function answerCall(name: string, application: Application, args: RpcReader): Answer | LateAnswer {
  if (!application.isInitialized && name !== 'Initialize') return failed(CKR.CRYPTOKI_NOT_INITIALIZED);
  const handler = HANDLERS.get(name);
  return handler === undefined ? failed(CKR.FUNCTION_NOT_SUPPORTED) : handler(application, args);
}
