/** Numbers of PKCS#11 v2.40 that this layer uses, under their names in the specification. */

export const CKF_OS_LOCKING_OK = 0x2;
export const CKF_RW_SESSION = 0x2;
export const CKF_SERIAL_SESSION = 0x4;

/** Token flags. */
export const CKF_LOGIN_REQUIRED = 0x4;
export const CKF_TOKEN_INITIALIZED = 0x400;
export const CKF_USER_PIN_COUNT_LOW = 0x1_0000;
export const CKF_USER_PIN_FINAL_TRY = 0x2_0000;
export const CKF_USER_PIN_LOCKED = 0x4_0000;

export const CKU_SO = 0;
export const CKU_USER = 1;

/** Session states in which the user is logged in. */
export const CKS_RO_USER_FUNCTIONS = 1;
export const CKS_RW_USER_FUNCTIONS = 3;

export const CKO_PUBLIC_KEY = 2;
export const CKO_PRIVATE_KEY = 3;
export const CKO_SECRET_KEY = 4;

export const CKK_RSA = 0;
export const CKK_EC = 3;
/** PKCS#11 v3.0. */
export const CKK_EC_EDWARDS = 0x40;
export const CKK_GENERIC_SECRET = 0x10;

export const CKM_RSA_PKCS_KEY_PAIR_GEN = 0x0;
export const CKM_RSA_PKCS = 0x1;
export const CKM_RSA_PKCS_PSS = 0xd;
export const CKM_SHA256 = 0x250;
export const CKM_SHA384 = 0x260;
export const CKM_SHA512 = 0x270;
export const CKM_SHA256_HMAC = 0x251;
export const CKM_GENERIC_SECRET_KEY_GEN = 0x350;
export const CKM_EC_KEY_PAIR_GEN = 0x1040;
export const CKM_ECDSA = 0x1041;
export const CKM_ECDH1_DERIVE = 0x1050;
/** PKCS#11 v3.0. */
export const CKM_EC_EDWARDS_KEY_PAIR_GEN = 0x1055;
export const CKM_EDDSA = 0x1057;

export const CKG_MGF1_SHA256 = 2;
export const CKG_MGF1_SHA384 = 3;
export const CKG_MGF1_SHA512 = 4;

export const CKD_NULL = 1;
/** pkcs11js's own numbers for the parameter structures of PSS and ECDH. */
export const CK_PARAMS_RSA_PSS = 5;
export const CK_PARAMS_EC_DH = 6;

/** Return values that decide what happens next; all others only become errors. */
export const CKR_OK = 0;
export const CKR_SLOT_ID_INVALID = 0x3;
export const CKR_GENERAL_ERROR = 0x5;
export const CKR_FUNCTION_FAILED = 0x6;
export const CKR_ATTRIBUTE_TYPE_INVALID = 0x12;
export const CKR_DEVICE_ERROR = 0x30;
export const CKR_DEVICE_REMOVED = 0x32;
export const CKR_OPERATION_ACTIVE = 0x90;
export const CKR_SESSION_CLOSED = 0xb0;
export const CKR_SESSION_HANDLE_INVALID = 0xb3;
export const CKR_TOKEN_NOT_PRESENT = 0xe0;
export const CKR_TOKEN_NOT_RECOGNIZED = 0xe1;
export const CKR_TOKEN_WRITE_PROTECTED = 0xe2;
export const CKR_USER_ALREADY_LOGGED_IN = 0x100;
export const CKR_USER_NOT_LOGGED_IN = 0x101;
export const CKR_CRYPTOKI_ALREADY_INITIALIZED = 0x191;
