/*
 * PKCS#11 v2.40 calls that take a PIN, with bytes. The module is opened again: the dynamic linker hands out the same
 * library that the JavaScript binding has loaded and initialised, so its session and slot handles are valid here.
 */
#include "shims.h"

#include <dlfcn.h>
#include <limits.h>
#include <string.h>

#define LABEL_BYTES 32
#define MAX_PIN_BYTES 1024
#define FUNCTION_COUNT 68

/* CK_ULONG is unsigned long on every Unix; handles arrive as its memory. */
typedef unsigned long ck_ulong;

typedef void (*ck_any)(void);
typedef ck_ulong (*ck_init_token)(ck_ulong slot, uint8_t *pin, ck_ulong length, uint8_t *label);
typedef ck_ulong (*ck_init_pin)(ck_ulong session, uint8_t *pin, ck_ulong length);
typedef ck_ulong (*ck_login)(ck_ulong session, ck_ulong user, uint8_t *pin, ck_ulong length);

/* CK_FUNCTION_LIST: a version, then the functions in the order of pkcs11f.h. */
typedef struct {
  struct {
    uint8_t major;
    uint8_t minor;
  } version;
  ck_any function[FUNCTION_COUNT];
} ck_function_list;

enum { AT_INIT_TOKEN = 9, AT_INIT_PIN = 10, AT_LOGIN = 18 };

typedef ck_ulong (*ck_get_function_list)(ck_function_list **list);

typedef struct {
  void *library;
  ck_function_list *functions;
} module;

/* Takes argument 0, an absolute path; false after throwing. The caller closes the library. */
static bool open_module(shim_call *call, module *opened) {
  char path[PATH_MAX];
  if (!shim_take_string(call, 0, "modulePath", path, sizeof path)) return false;
  if (path[0] != '/') {
    shim_throw_type(call, "modulePath", "an absolute path");
    return false;
  }
  opened->library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (opened->library == NULL) {
    shim_throw_code(call, "ELIBACC", "the module cannot be loaded");
    return false;
  }
  ck_get_function_list get_function_list;
  void *symbol = dlsym(opened->library, "C_GetFunctionList");
  memcpy(&get_function_list, &symbol, sizeof symbol);
  opened->functions = NULL;
  if (symbol != NULL && get_function_list(&opened->functions) == 0 && opened->functions != NULL) return true;
  dlclose(opened->library);
  shim_throw_code(call, "ELIBBAD", "the module has no function list");
  return false;
}

static bool take_handle(shim_call *call, size_t index, const char *name, ck_ulong *handle) {
  shim_bytes bytes;
  if (!shim_take_bytes_of(call, index, name, sizeof *handle, &bytes)) return false;
  memcpy(handle, bytes.data, sizeof *handle);
  return true;
}

/* An empty PIN becomes NULL: the token asks on its own pad (CKF_PROTECTED_AUTHENTICATION_PATH). */
static bool take_pin(shim_call *call, size_t index, const char *name, shim_bytes *pin) {
  if (!shim_take_bytes_within(call, index, name, 0, MAX_PIN_BYTES, pin)) return false;
  if (pin->length == 0) pin->data = NULL;
  return true;
}

static napi_value answer(shim_call *call, module *opened, ck_ulong code) {
  napi_value result;
  dlclose(opened->library);
  return napi_create_int64(call->env, (int64_t)code, &result) == napi_ok ? result : NULL;
}

napi_value shim_pkcs11_login(napi_env env, napi_callback_info info) {
  shim_call call;
  module opened;
  ck_ulong session;
  int64_t user;
  shim_bytes pin;
  if (!shim_begin(&call, env, info, "pkcs11Login") || !take_handle(&call, 1, "session", &session) ||
      !shim_take_integer(&call, 2, "userType", 0, UINT32_MAX, &user) || !take_pin(&call, 3, "pin", &pin) ||
      !open_module(&call, &opened)) {
    return NULL;
  }
  ck_login login = (ck_login)opened.functions->function[AT_LOGIN];
  return answer(&call, &opened, login(session, (ck_ulong)user, pin.data, pin.length));
}

napi_value shim_pkcs11_init_token(napi_env env, napi_callback_info info) {
  shim_call call;
  module opened;
  ck_ulong slot;
  shim_bytes pin;
  char text[LABEL_BYTES + 1];
  uint8_t label[LABEL_BYTES];
  if (!shim_begin(&call, env, info, "pkcs11InitToken") || !take_handle(&call, 1, "slot", &slot) ||
      !take_pin(&call, 2, "soPin", &pin) || !shim_take_string(&call, 3, "label", text, sizeof text) ||
      !open_module(&call, &opened)) {
    return NULL;
  }
  memset(label, ' ', sizeof label);
  memcpy(label, text, strlen(text));
  ck_init_token init_token = (ck_init_token)opened.functions->function[AT_INIT_TOKEN];
  return answer(&call, &opened, init_token(slot, pin.data, pin.length, label));
}

napi_value shim_pkcs11_init_pin(napi_env env, napi_callback_info info) {
  shim_call call;
  module opened;
  ck_ulong session;
  shim_bytes pin;
  if (!shim_begin(&call, env, info, "pkcs11InitPin") || !take_handle(&call, 1, "session", &session) ||
      !take_pin(&call, 2, "pin", &pin) || !open_module(&call, &opened)) {
    return NULL;
  }
  ck_init_pin init_pin = (ck_init_pin)opened.functions->function[AT_INIT_PIN];
  return answer(&call, &opened, init_pin(session, pin.data, pin.length));
}
