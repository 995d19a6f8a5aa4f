/*
 * A PKCS#11 module with one token that misbehaves on demand. The file named by FAULTY_PLAN is read at every call; a line
 * "C_Name=ACTION" says what that function does: crash, hang, short, a return value such as 0x30, or once:0x30 for the first
 * such call of the process. "token=absent" empties the slot, "tries=hidden" keeps the PIN counter
 * from the flags. Beside the plan, PLAN.log receives the name of each login and signature, PLAN.tries holds the PIN counter.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <pkcs11/pkcs11.h>

#define SLOT 7
#define SESSION 11
#define PRIVATE_KEY 1
#define PUBLIC_KEY 2
#define SECRET_KEY 3
#define DERIVED 4
#define TRIES 3
#define PIN "123456"
#define UNUSED(x) ((void)(x))

static int logged_in;
static CK_OBJECT_HANDLE found;

static int planned(const char *name, char *action, size_t size) {
  const char *plan = getenv("FAULTY_PLAN");
  FILE *file = plan == NULL ? NULL : fopen(plan, "r");
  char line[128];
  int matched = 0;
  if (file == NULL) return 0;
  while (!matched && fgets(line, sizeof line, file) != NULL) {
    char *equals = strchr(line, '=');
    if (equals == NULL) continue;
    *equals = '\0';
    equals[1 + strcspn(equals + 1, "\n")] = '\0';
    if (strcmp(line, name) != 0) continue;
    snprintf(action, size, "%s", equals + 1);
    matched = 1;
  }
  fclose(file);
  return matched;
}

static FILE *beside_plan(const char *suffix, const char *mode) {
  char path[4096];
  const char *plan = getenv("FAULTY_PLAN");
  snprintf(path, sizeof path, "%s.%s", plan == NULL ? "/nonexistent/plan" : plan, suffix);
  return fopen(path, mode);
}

static void note(const char *name) {
  FILE *log = beside_plan("log", "a");
  if (log == NULL) return;
  fprintf(log, "%s\n", name);
  fclose(log);
}

static int tries_left(void) {
  FILE *file = beside_plan("tries", "r");
  int tries = TRIES;
  if (file == NULL) return tries;
  if (fscanf(file, "%d", &tries) != 1) tries = TRIES;
  fclose(file);
  return tries;
}

static void keep_tries(int tries) {
  FILE *file = beside_plan("tries", "w");
  if (file == NULL) return;
  fprintf(file, "%d\n", tries);
  fclose(file);
}

/* Does what the plan says about a function; CKR_OK means: go on. */
static CK_RV fault(const char *name) {
  static int happened;
  char action[64];
  if (!planned(name, action, sizeof action)) return CKR_OK;
  if (strncmp(action, "once:", 5) == 0) return happened++ == 0 ? strtoul(action + 5, NULL, 16) : CKR_OK;
  if (strcmp(action, "crash") == 0) abort();
  while (strcmp(action, "hang") == 0) pause();
  return strncmp(action, "0x", 2) == 0 ? strtoul(action, NULL, 16) : CKR_OK;
}

static int is_planned(const char *name, const char *wanted) {
  char action[64];
  return planned(name, action, sizeof action) && strcmp(action, wanted) == 0;
}

#define FAULT(name)            \
  do {                         \
    CK_RV rv_ = fault(#name);  \
    if (rv_ != CKR_OK) return rv_; \
  } while (0)

static void pad(unsigned char *field, size_t size, const char *text) {
  memset(field, ' ', size);
  memcpy(field, text, strlen(text));
}

static CK_RV initialize(CK_VOID_PTR args) {
  UNUSED(args);
  FAULT(C_Initialize);
  return CKR_OK;
}

static CK_RV finalize(CK_VOID_PTR reserved) {
  UNUSED(reserved);
  logged_in = 0;
  return CKR_OK;
}

static CK_RV get_slot_list(CK_BBOOL present, CK_SLOT_ID_PTR slots, CK_ULONG_PTR count) {
  FAULT(C_GetSlotList);
  if (present && is_planned("token", "absent")) {
    *count = 0;
    return CKR_OK;
  }
  if (slots != NULL) slots[0] = SLOT;
  *count = 1;
  return CKR_OK;
}

static CK_RV get_token_info(CK_SLOT_ID slot, CK_TOKEN_INFO_PTR info) {
  int tries = is_planned("tries", "hidden") ? TRIES : tries_left();
  UNUSED(slot);
  FAULT(C_GetTokenInfo);
  memset(info, 0, sizeof *info);
  pad(info->label, sizeof info->label, "faulty");
  pad(info->manufacturerID, sizeof info->manufacturerID, "Touchstone tests");
  pad(info->model, sizeof info->model, "faulty");
  pad(info->serialNumber, sizeof info->serialNumber, is_planned("token", "swapped") ? "F0002" : "F0001");
  info->flags = CKF_TOKEN_INITIALIZED | CKF_LOGIN_REQUIRED | CKF_USER_PIN_INITIALIZED;
  if (tries < TRIES) info->flags |= CKF_USER_PIN_COUNT_LOW;
  if (tries == 1) info->flags |= CKF_USER_PIN_FINAL_TRY;
  if (tries == 0) info->flags |= CKF_USER_PIN_LOCKED;
  info->ulMinPinLen = 4;
  info->ulMaxPinLen = 64;
  return CKR_OK;
}

static CK_RV open_session(CK_SLOT_ID slot, CK_FLAGS flags, CK_VOID_PTR app, CK_NOTIFY notify, CK_SESSION_HANDLE_PTR out) {
  UNUSED(slot), UNUSED(app), UNUSED(notify);
  FAULT(C_OpenSession);
  if ((flags & CKF_RW_SESSION) != 0 && is_planned("token", "protected")) return CKR_TOKEN_WRITE_PROTECTED;
  *out = SESSION;
  return CKR_OK;
}

static CK_RV close_session(CK_SESSION_HANDLE session) {
  UNUSED(session);
  return CKR_OK;
}

static CK_RV get_session_info(CK_SESSION_HANDLE session, CK_SESSION_INFO_PTR info) {
  UNUSED(session);
  FAULT(C_GetSessionInfo);
  memset(info, 0, sizeof *info);
  info->state = logged_in ? CKS_RW_USER_FUNCTIONS : CKS_RW_PUBLIC_SESSION;
  return CKR_OK;
}

static CK_RV login(CK_SESSION_HANDLE session, CK_USER_TYPE user, CK_UTF8CHAR_PTR pin, CK_ULONG length) {
  int tries = tries_left();
  UNUSED(session), UNUSED(user);
  note("C_Login");
  FAULT(C_Login);
  if (tries == 0) return CKR_PIN_LOCKED;
  if (logged_in) return CKR_USER_ALREADY_LOGGED_IN;
  if (length == strlen(PIN) && memcmp(pin, PIN, length) == 0) {
    logged_in = 1;
    keep_tries(TRIES);
    return CKR_OK;
  }
  keep_tries(tries - 1);
  return tries - 1 == 0 ? CKR_PIN_LOCKED : CKR_PIN_INCORRECT;
}

static CK_RV logout(CK_SESSION_HANDLE session) {
  UNUSED(session);
  logged_in = 0;
  return CKR_OK;
}

static CK_RV find_init(CK_SESSION_HANDLE session, CK_ATTRIBUTE_PTR attributes, CK_ULONG count) {
  UNUSED(session);
  FAULT(C_FindObjectsInit);
  found = 0;
  for (CK_ULONG n = 0; n < count; n++) {
    if (attributes[n].type != CKA_CLASS) continue;
    CK_OBJECT_CLASS wanted = *(CK_OBJECT_CLASS *)attributes[n].pValue;
    if (wanted == CKO_PUBLIC_KEY) found = PUBLIC_KEY;
    if (wanted == CKO_PRIVATE_KEY && logged_in) found = PRIVATE_KEY;
    if (wanted == CKO_SECRET_KEY && logged_in) found = SECRET_KEY;
  }
  return CKR_OK;
}

static CK_RV find(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE_PTR objects, CK_ULONG max, CK_ULONG_PTR count) {
  UNUSED(session), UNUSED(max);
  FAULT(C_FindObjects);
  *count = found == 0 ? 0 : 1;
  if (found != 0) objects[0] = found;
  found = 0;
  return CKR_OK;
}

static CK_RV find_final(CK_SESSION_HANDLE session) {
  UNUSED(session);
  return CKR_OK;
}

static CK_RV put(CK_ATTRIBUTE_PTR attribute, const void *value, CK_ULONG length) {
  if (attribute->pValue != NULL) memcpy(attribute->pValue, value, length);
  attribute->ulValueLen = length;
  return CKR_OK;
}

/* The generator of P-256 as DER OCTET STRING: nobody checks who owns it. */
static const unsigned char POINT[] = {
    0x04, 0x41, 0x04, 0x6b, 0x17, 0xd1, 0xf2, 0xe1, 0x2c, 0x42, 0x47, 0xf8, 0xbc, 0xe6, 0xe5, 0x63, 0xa4,
    0x40, 0xf2, 0x77, 0x03, 0x7d, 0x81, 0x2d, 0xeb, 0x33, 0xa0, 0xf4, 0xa1, 0x39, 0x45, 0xd8, 0x98, 0xc2,
    0x96, 0x4f, 0xe3, 0x42, 0xe2, 0xfe, 0x1a, 0x7f, 0x9b, 0x8e, 0xe7, 0xeb, 0x4a, 0x7c, 0x0f, 0x9e, 0x16,
    0x2b, 0xce, 0x33, 0x57, 0x6b, 0x31, 0x5e, 0xce, 0xcb, 0xb6, 0x40, 0x68, 0x37, 0xbf, 0x51, 0xf5};
static const unsigned char PARAMS[] = {0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};

static CK_RV get_attribute(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_PTR attributes, CK_ULONG count) {
  CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
  unsigned char value[32];
  UNUSED(session), UNUSED(count);
  FAULT(C_GetAttributeValue);
  memset(value, 9, sizeof value);
  switch (attributes->type) {
    case CKA_EC_POINT: return put(attributes, POINT, sizeof POINT);
    case CKA_EC_PARAMS: return put(attributes, PARAMS, sizeof PARAMS);
    case CKA_VALUE: return put(attributes, value, is_planned("C_DeriveKey", "short") ? 16 : 32);
    case CKA_EXTRACTABLE: return put(attributes, &no, sizeof no);
    case CKA_DERIVE: return put(attributes, is_planned("key", "derive") ? &yes : &no, sizeof yes);
    case CKA_SIGN: return put(attributes, is_planned("key", "derive") ? &no : &yes, sizeof yes);
    case CKA_NEVER_EXTRACTABLE: return put(attributes, is_planned("key", "was-readable") ? &no : &yes, sizeof yes);
    case CKA_ALWAYS_AUTHENTICATE: return put(attributes, is_planned("key", "asks-always") ? &yes : &no, sizeof yes);
    case CKA_SENSITIVE:
    case CKA_ALWAYS_SENSITIVE:
    case CKA_LOCAL: return put(attributes, &yes, sizeof yes);
    default: return object == 0 ? CKR_OBJECT_HANDLE_INVALID : CKR_ATTRIBUTE_TYPE_INVALID;
  }
}

static CK_RV sign_init(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE key) {
  UNUSED(session), UNUSED(mechanism), UNUSED(key);
  FAULT(C_SignInit);
  return CKR_OK;
}

static CK_RV sign(CK_SESSION_HANDLE session, CK_BYTE_PTR data, CK_ULONG length, CK_BYTE_PTR out, CK_ULONG_PTR size) {
  UNUSED(session), UNUSED(data), UNUSED(length);
  note("C_Sign");
  FAULT(C_Sign);
  *size = is_planned("C_Sign", "short") ? 10 : 64;
  memset(out, 1, *size);
  return CKR_OK;
}

static CK_RV derive(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE base, CK_ATTRIBUTE_PTR attributes,
                    CK_ULONG count, CK_OBJECT_HANDLE_PTR key) {
  UNUSED(session), UNUSED(mechanism), UNUSED(base), UNUSED(attributes), UNUSED(count);
  FAULT(C_DeriveKey);
  *key = DERIVED;
  return CKR_OK;
}

static CK_RV destroy(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object) {
  UNUSED(session);
  note(object == DERIVED ? "C_DestroyObject derived" : "C_DestroyObject");
  FAULT(C_DestroyObject);
  return CKR_OK;
}

static CK_RV generate_pair(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_ATTRIBUTE_PTR public_template,
                           CK_ULONG public_count, CK_ATTRIBUTE_PTR private_template, CK_ULONG private_count,
                           CK_OBJECT_HANDLE_PTR public_key, CK_OBJECT_HANDLE_PTR private_key) {
  UNUSED(session), UNUSED(mechanism), UNUSED(public_template), UNUSED(public_count), UNUSED(private_template);
  UNUSED(private_count);
  FAULT(C_GenerateKeyPair);
  *public_key = PUBLIC_KEY;
  *private_key = PRIVATE_KEY;
  return CKR_OK;
}

static CK_FUNCTION_LIST functions = {
    .version = {2, 40},
    .C_Initialize = initialize,
    .C_Finalize = finalize,
    .C_GetSlotList = get_slot_list,
    .C_GetTokenInfo = get_token_info,
    .C_OpenSession = open_session,
    .C_CloseSession = close_session,
    .C_GetSessionInfo = get_session_info,
    .C_Login = login,
    .C_Logout = logout,
    .C_FindObjectsInit = find_init,
    .C_FindObjects = find,
    .C_FindObjectsFinal = find_final,
    .C_GetAttributeValue = get_attribute,
    .C_SignInit = sign_init,
    .C_Sign = sign,
    .C_DeriveKey = derive,
    .C_DestroyObject = destroy,
    .C_GenerateKeyPair = generate_pair,
};

CK_RV C_GetFunctionList(CK_FUNCTION_LIST_PTR_PTR list) {
  FAULT(C_GetFunctionList);
  *list = &functions;
  return CKR_OK;
}
