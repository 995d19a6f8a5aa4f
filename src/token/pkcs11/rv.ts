/**
 * Return values of drivers: every CKR_* of PKCS#11 v2.40 with the error of ours it becomes and a sentence. A value outside
 * the table (vendor codes, later versions) becomes `token.other` and keeps its number.
 */
import { AgentError } from '../../errors/agent-error.js';
import type { ErrorCode } from '../../errors/codes.js';

export interface ReturnValue {
  readonly name: string;
  readonly code: ErrorCode;
  readonly sentence: string;
}

function rv(name: string, code: ErrorCode, sentence: string): ReturnValue {
  return { name: `CKR_${name}`, code, sentence };
}

/** PKCS#11 v2.40, "Cryptoki return values"; CKR_OK is no error and therefore absent. */
export const RETURN_VALUES: ReadonlyMap<number, ReturnValue> = new Map([
  [0x01, rv('CANCEL', 'token.other', 'the operation was cancelled')],
  [0x02, rv('HOST_MEMORY', 'token.memory', 'the computer has no memory left for the driver')],
  [0x03, rv('SLOT_ID_INVALID', 'token.absent', 'the slot does not exist any more')],
  [0x05, rv('GENERAL_ERROR', 'token.device', 'the driver or the token failed without saying why')],
  [0x06, rv('FUNCTION_FAILED', 'token.device', 'the driver could not do it')],
  [0x07, rv('ARGUMENTS_BAD', 'token.unsupported', 'the driver does not accept the arguments')],
  [0x08, rv('NO_EVENT', 'token.other', 'no slot event is waiting')],
  [0x09, rv('NEED_TO_CREATE_THREADS', 'token.unsupported', 'the driver must be allowed to make threads')],
  [0x0a, rv('CANT_LOCK', 'token.unsupported', 'the driver cannot lock with the means of the system')],
  [0x10, rv('ATTRIBUTE_READ_ONLY', 'token.unsupported', 'an attribute cannot be set')],
  [0x11, rv('ATTRIBUTE_SENSITIVE', 'token.unsupported', 'the token does not reveal this attribute')],
  [0x12, rv('ATTRIBUTE_TYPE_INVALID', 'token.unsupported', 'the token does not know an attribute')],
  [0x13, rv('ATTRIBUTE_VALUE_INVALID', 'token.unsupported', 'the token does not accept an attribute value')],
  [0x1b, rv('ACTION_PROHIBITED', 'token.unsupported', 'the token forbids this with the object')],
  [0x20, rv('DATA_INVALID', 'token.unsupported', 'the token does not accept the data')],
  [0x21, rv('DATA_LEN_RANGE', 'token.unsupported', 'the token does not accept data of this length')],
  [0x30, rv('DEVICE_ERROR', 'token.device', 'the token or its connection failed')],
  [0x31, rv('DEVICE_MEMORY', 'token.memory', 'the token has no room left')],
  [0x32, rv('DEVICE_REMOVED', 'token.removed', 'the token was removed during the operation')],
  [0x40, rv('ENCRYPTED_DATA_INVALID', 'token.other', 'the encrypted data is not valid')],
  [0x41, rv('ENCRYPTED_DATA_LEN_RANGE', 'token.other', 'the encrypted data has a wrong length')],
  [0x50, rv('FUNCTION_CANCELED', 'token.other', 'the operation was cancelled on the token')],
  [0x51, rv('FUNCTION_NOT_PARALLEL', 'token.other', 'no parallel operation is running')],
  [0x54, rv('FUNCTION_NOT_SUPPORTED', 'token.unsupported', 'the driver does not have this function')],
  [0x60, rv('KEY_HANDLE_INVALID', 'token.key-missing', 'the key is not there any more')],
  [0x62, rv('KEY_SIZE_RANGE', 'token.unsupported', 'the token does not take keys of this size')],
  [0x63, rv('KEY_TYPE_INCONSISTENT', 'token.unsupported', 'the key is of a type that cannot do this')],
  [0x64, rv('KEY_NOT_NEEDED', 'token.other', 'the operation takes no key')],
  [0x65, rv('KEY_CHANGED', 'token.other', 'a key is not the one used before')],
  [0x66, rv('KEY_NEEDED', 'token.other', 'the operation needs a key')],
  [0x67, rv('KEY_INDIGESTIBLE', 'token.other', 'the token cannot digest this key')],
  [0x68, rv('KEY_FUNCTION_NOT_PERMITTED', 'key.usage', 'the key may not be used for this')],
  [0x69, rv('KEY_NOT_WRAPPABLE', 'token.other', 'the key cannot be wrapped')],
  [0x6a, rv('KEY_UNEXTRACTABLE', 'token.other', 'the key cannot be extracted')],
  [0x70, rv('MECHANISM_INVALID', 'token.unsupported', 'the token does not have this algorithm')],
  [0x71, rv('MECHANISM_PARAM_INVALID', 'token.unsupported', 'the token does not accept the parameters')],
  [0x82, rv('OBJECT_HANDLE_INVALID', 'token.key-missing', 'the key is not there any more')],
  [0x90, rv('OPERATION_ACTIVE', 'token.busy', 'another operation is running in the session')],
  [0x91, rv('OPERATION_NOT_INITIALIZED', 'token.other', 'no such operation was started')],
  [0xa0, rv('PIN_INCORRECT', 'token.pin-incorrect', 'the PIN is wrong')],
  [0xa1, rv('PIN_INVALID', 'token.pin-format', 'the PIN holds characters that the token does not take')],
  [0xa2, rv('PIN_LEN_RANGE', 'token.pin-format', 'the PIN is too short or too long')],
  [0xa3, rv('PIN_EXPIRED', 'token.pin-expired', 'the PIN has expired')],
  [0xa4, rv('PIN_LOCKED', 'token.pin-locked', 'the PIN is locked')],
  [0xb0, rv('SESSION_CLOSED', 'token.removed', 'the session ended during the operation')],
  [0xb1, rv('SESSION_COUNT', 'token.busy', 'the token has no session left')],
  [0xb3, rv('SESSION_HANDLE_INVALID', 'token.removed', 'the session has ended')],
  [0xb4, rv('SESSION_PARALLEL_NOT_SUPPORTED', 'token.unsupported', 'the driver has serial sessions only')],
  [0xb5, rv('SESSION_READ_ONLY', 'token.write-protected', 'the session is read only')],
  [0xb6, rv('SESSION_EXISTS', 'token.busy', 'another session is open on the token')],
  [0xb7, rv('SESSION_READ_ONLY_EXISTS', 'token.busy', 'a read-only session is open on the token')],
  [0xb8, rv('SESSION_READ_WRITE_SO_EXISTS', 'token.busy', 'the security officer is logged in')],
  [0xc0, rv('SIGNATURE_INVALID', 'token.bad-signature', 'the signature does not verify')],
  [0xc1, rv('SIGNATURE_LEN_RANGE', 'token.bad-signature', 'the signature has a wrong length')],
  [0xd0, rv('TEMPLATE_INCOMPLETE', 'token.unsupported', 'the token asks for more attributes')],
  [
    0xd1,
    rv('TEMPLATE_INCONSISTENT', 'token.unsupported', 'the token does not accept the attributes together'),
  ],
  [0xe0, rv('TOKEN_NOT_PRESENT', 'token.absent', 'no token is in the slot')],
  [0xe1, rv('TOKEN_NOT_RECOGNIZED', 'token.absent', 'the driver does not recognise the token')],
  [0xe2, rv('TOKEN_WRITE_PROTECTED', 'token.write-protected', 'the token is write protected')],
  [
    0xf0,
    rv('UNWRAPPING_KEY_HANDLE_INVALID', 'token.key-missing', 'the unwrapping key is not there any more'),
  ],
  [0xf1, rv('UNWRAPPING_KEY_SIZE_RANGE', 'token.unsupported', 'the unwrapping key has a wrong size')],
  [0xf2, rv('UNWRAPPING_KEY_TYPE_INCONSISTENT', 'token.unsupported', 'the unwrapping key has a wrong type')],
  [0x100, rv('USER_ALREADY_LOGGED_IN', 'token.busy', 'somebody is already logged in through this process')],
  [
    0x101,
    rv('USER_NOT_LOGGED_IN', 'token.pin-needed', 'nobody is logged in, or a touch did not come in time'),
  ],
  [0x102, rv('USER_PIN_NOT_INITIALIZED', 'token.not-initialised', 'the token has no user PIN yet')],
  [0x103, rv('USER_TYPE_INVALID', 'token.unsupported', 'the token does not know this kind of user')],
  [0x104, rv('USER_ANOTHER_ALREADY_LOGGED_IN', 'token.busy', 'another user is logged in')],
  [0x105, rv('USER_TOO_MANY_TYPES', 'token.busy', 'too many users are logged in')],
  [0x110, rv('WRAPPED_KEY_INVALID', 'token.other', 'the wrapped key is not valid')],
  [0x112, rv('WRAPPED_KEY_LEN_RANGE', 'token.other', 'the wrapped key has a wrong length')],
  [0x113, rv('WRAPPING_KEY_HANDLE_INVALID', 'token.key-missing', 'the wrapping key is not there any more')],
  [0x114, rv('WRAPPING_KEY_SIZE_RANGE', 'token.unsupported', 'the wrapping key has a wrong size')],
  [0x115, rv('WRAPPING_KEY_TYPE_INCONSISTENT', 'token.unsupported', 'the wrapping key has a wrong type')],
  [0x120, rv('RANDOM_SEED_NOT_SUPPORTED', 'token.unsupported', 'the token takes no seed')],
  [0x121, rv('RANDOM_NO_RNG', 'token.unsupported', 'the token has no random generator')],
  [0x130, rv('DOMAIN_PARAMS_INVALID', 'token.unsupported', 'the token does not accept the curve')],
  [0x140, rv('CURVE_NOT_SUPPORTED', 'token.unsupported', 'the token does not have this curve')],
  [0x150, rv('BUFFER_TOO_SMALL', 'token.other', 'the answer is longer than it should be')],
  [0x160, rv('SAVED_STATE_INVALID', 'token.other', 'the saved state is not valid')],
  [0x170, rv('INFORMATION_SENSITIVE', 'token.unsupported', 'the token does not reveal this')],
  [0x180, rv('STATE_UNSAVEABLE', 'token.other', 'the state cannot be saved')],
  [0x190, rv('CRYPTOKI_NOT_INITIALIZED', 'token.device', 'the driver is not initialised any more')],
  [0x191, rv('CRYPTOKI_ALREADY_INITIALIZED', 'token.other', 'the driver is initialised already')],
  [0x1a0, rv('MUTEX_BAD', 'token.other', 'a lock of the driver is not valid')],
  [0x1a1, rv('MUTEX_NOT_LOCKED', 'token.other', 'a lock of the driver was not held')],
  [0x1b0, rv('NEW_PIN_MODE', 'token.pin-expired', 'the token wants a new PIN first')],
  [0x1b1, rv('NEXT_OTP', 'token.pin-needed', 'the token wants the next one-time password')],
  [0x1b5, rv('EXCEEDED_MAX_ITERATIONS', 'token.other', 'the token gave up after too many attempts')],
  [0x1b6, rv('FIPS_SELF_TEST_FAILED', 'token.device', 'the self test of the token failed')],
  [0x1b7, rv('LIBRARY_LOAD_FAILED', 'token.module-missing', 'the driver could not load a part of itself')],
  [0x1b8, rv('PIN_TOO_WEAK', 'token.pin-format', 'the token finds the PIN too weak')],
  [0x1b9, rv('PUBLIC_KEY_INVALID', 'token.unsupported', 'the token does not accept the public key')],
  [0x200, rv('FUNCTION_REJECTED', 'policy.denied', 'the person at the token refused')],
]);

/** An error for a return value. `call` names what was tried, for example `C_Sign`. */
export function returnValueError(call: string, value: number, cause?: unknown): AgentError {
  const row = RETURN_VALUES.get(value);
  const ckr = row?.name ?? `0x${value.toString(16).padStart(8, '0')}`;
  return new AgentError(row?.code ?? 'token.other', {
    message: row === undefined ? `${call}: the driver returned ${ckr}` : `${call}: ${row.sentence} (${ckr})`,
    details: { call, ckr, rv: value },
    cause,
  });
}

/** The CKR_* number in what pkcs11js threw: most calls carry it as `code`, C_FindObjects only inside the text. */
export function returnValueOf(thrown: unknown): number | undefined {
  if (!(thrown instanceof Error)) return undefined;
  if (/^CKR_/.test(thrown.message) && 'code' in thrown && typeof thrown.code === 'number') return thrown.code;
  const match = /CKR_[A-Z0-9_]+:(\d+)/.exec(thrown.message);
  return match?.[1] === undefined ? undefined : Number(match[1]);
}

/** Runs one driver call; whatever it throws leaves here as an AgentError. */
export function driverCall<T>(call: string, run: () => T): T {
  try {
    return run();
  } catch (thrown) {
    if (thrown instanceof AgentError) throw thrown;
    const value = returnValueOf(thrown);
    if (value === undefined) {
      throw new AgentError('internal.unexpected', {
        message: `${call}: the binding refused the call`,
        cause: thrown,
      });
    }
    throw returnValueError(call, value, thrown);
  }
}

/** The CKR_* number an error of ours came from. */
export function driverValueOf(error: unknown): number | undefined {
  const value = error instanceof AgentError ? error.details?.['rv'] : undefined;
  return typeof value === 'number' ? value : undefined;
}
