/**
 * The calls of p11-kit's RPC, protocol version 0 (p11-kit 0.23 to 0.26 all speak it): id, and the signature that request and answer
 * must carry. Letters: `y` byte, `u` number (64 bits), `v` version, `s` padded string, `z` string, `ay` and `au` arrays, `fy` and `fu`
 * room for them, `aA` attributes, `fA` room for attributes, `M` mechanism.
 */

export interface RpcCall {
  readonly id: number;
  readonly name: string;
  readonly request: string;
  readonly response: string;
}

/** In the order of their ids, beginning with 1. */
const ROWS = [
  ['Initialize', 'ayyay', ''],
  ['Finalize', '', ''],
  ['GetInfo', '', 'vsusv'],
  ['GetSlotList', 'yfu', 'au'],
  ['GetSlotInfo', 'u', 'ssuvv'],
  ['GetTokenInfo', 'u', 'ssssuuuuuuuuuuuvvs'],
  ['GetMechanismList', 'ufu', 'au'],
  ['GetMechanismInfo', 'uu', 'uuu'],
  ['InitToken', 'uayz', ''],
  ['OpenSession', 'uu', 'u'],
  ['CloseSession', 'u', ''],
  ['CloseAllSessions', 'u', ''],
  ['GetSessionInfo', 'u', 'uuuu'],
  ['InitPIN', 'uay', ''],
  ['SetPIN', 'uayay', ''],
  ['GetOperationState', 'ufy', 'ay'],
  ['SetOperationState', 'uayuu', ''],
  ['Login', 'uuay', ''],
  ['Logout', 'u', ''],
  ['CreateObject', 'uaA', 'u'],
  ['CopyObject', 'uuaA', 'u'],
  ['DestroyObject', 'uu', ''],
  ['GetObjectSize', 'uu', 'u'],
  ['GetAttributeValue', 'uufA', 'aAu'],
  ['SetAttributeValue', 'uuaA', ''],
  ['FindObjectsInit', 'uaA', ''],
  ['FindObjects', 'ufu', 'au'],
  ['FindObjectsFinal', 'u', ''],
  ['EncryptInit', 'uMu', ''],
  ['Encrypt', 'uayfy', 'ay'],
  ['EncryptUpdate', 'uayfy', 'ay'],
  ['EncryptFinal', 'ufy', 'ay'],
  ['DecryptInit', 'uMu', ''],
  ['Decrypt', 'uayfy', 'ay'],
  ['DecryptUpdate', 'uayfy', 'ay'],
  ['DecryptFinal', 'ufy', 'ay'],
  ['DigestInit', 'uM', ''],
  ['Digest', 'uayfy', 'ay'],
  ['DigestUpdate', 'uay', ''],
  ['DigestKey', 'uu', ''],
  ['DigestFinal', 'ufy', 'ay'],
  ['SignInit', 'uMu', ''],
  ['Sign', 'uayfy', 'ay'],
  ['SignUpdate', 'uay', ''],
  ['SignFinal', 'ufy', 'ay'],
  ['SignRecoverInit', 'uMu', ''],
  ['SignRecover', 'uayfy', 'ay'],
  ['VerifyInit', 'uMu', ''],
  ['Verify', 'uayay', ''],
  ['VerifyUpdate', 'uay', ''],
  ['VerifyFinal', 'uay', ''],
  ['VerifyRecoverInit', 'uMu', ''],
  ['VerifyRecover', 'uayfy', 'ay'],
  ['DigestEncryptUpdate', 'uayfy', 'ay'],
  ['DecryptDigestUpdate', 'uayfy', 'ay'],
  ['SignEncryptUpdate', 'uayfy', 'ay'],
  ['DecryptVerifyUpdate', 'uayfy', 'ay'],
  ['GenerateKey', 'uMaA', 'u'],
  ['GenerateKeyPair', 'uMaAaA', 'uu'],
  ['WrapKey', 'uMuufy', 'ay'],
  ['UnwrapKey', 'uMuayaA', 'u'],
  ['DeriveKey', 'uMuaA', 'u'],
  ['SeedRandom', 'uay', ''],
  ['GenerateRandom', 'ufy', 'ay'],
  ['WaitForSlotEvent', 'u', 'u'],
] as const;

export type CallName = (typeof ROWS)[number][0];

export const RPC_CALLS: readonly RpcCall[] = ROWS.map(([name, request, response], index) => ({
  id: index + 1,
  name,
  request,
  response,
}));

/** The answer that carries a return value other than CKR_OK has this id and this signature. */
export const ERROR_CALL = { id: 0, response: 'u' } as const;
