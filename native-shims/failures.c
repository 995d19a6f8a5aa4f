/* How failures reach JavaScript. Texts name functions and arguments, never contents. */
#include "shims.h"

#include <stdio.h>
#include <uv.h>

#define TEXT_BYTES 256

napi_value shim_throw_type(shim_call *call, const char *name, const char *wanted) {
  char text[TEXT_BYTES];
  snprintf(text, sizeof text, "%s: %s must be %s", call->function, name, wanted);
  napi_throw_type_error(call->env, "ERR_INVALID_ARG_VALUE", text);
  return NULL;
}

napi_value shim_throw_code(shim_call *call, const char *code, const char *what) {
  char text[TEXT_BYTES];
  snprintf(text, sizeof text, "%s: %s", call->function, what);
  napi_throw_error(call->env, code, text);
  return NULL;
}

napi_value shim_throw_errno(shim_call *call, const char *what, int number) {
  char name[64];
  char text[TEXT_BYTES];
  uv_err_name_r(uv_translate_sys_error(number), name, sizeof name);
  snprintf(text, sizeof text, "%s: %s: %s", call->function, what, name);
  napi_throw_error(call->env, name, text);
  return NULL;
}

napi_value shim_throw_missing(shim_call *call) {
  return shim_throw_code(call, "ENOSYS", "this platform does not have it");
}

napi_value shim_number_object(shim_call *call, const shim_number_field *fields, size_t count) {
  napi_value object;
  napi_value number;
  if (napi_create_object(call->env, &object) != napi_ok) return NULL;
  for (size_t i = 0; i < count; i++) {
    if (napi_create_double(call->env, fields[i].value, &number) != napi_ok) return NULL;
    if (napi_set_named_property(call->env, object, fields[i].name, number) != napi_ok) return NULL;
  }
  return object;
}
