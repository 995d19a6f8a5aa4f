/* Takes arguments of a JavaScript call: strict about type, range and length. */
#include "shims.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* argv or an environment longer than this is nobody's honest intention. */
#define MAX_STRINGS 4096
#define MAX_STRING_BYTES 131072

bool shim_begin(shim_call *call, napi_env env, napi_callback_info info, const char *function) {
  size_t count = SHIM_MAX_ARGUMENTS;
  call->env = env;
  call->function = function;
  return napi_get_cb_info(env, info, &count, call->argument, NULL, &call->data) == napi_ok;
}

bool shim_take_bytes(shim_call *call, size_t index, const char *name, shim_bytes *bytes) {
  napi_typedarray_type type;
  void *data = NULL;
  napi_status status = napi_get_typedarray_info(call->env, call->argument[index], &type, &bytes->length, &data,
                                                NULL, NULL);
  if (status != napi_ok || type != napi_uint8_array || (data == NULL && bytes->length > 0)) {
    shim_throw_type(call, name, "a Uint8Array");
    return false;
  }
  bytes->data = data;
  return true;
}

bool shim_take_bytes_within(shim_call *call, size_t index, const char *name, size_t least, size_t most,
                            shim_bytes *bytes) {
  char wanted[80];
  if (!shim_take_bytes(call, index, name, bytes)) return false;
  if (bytes->length >= least && bytes->length <= most) return true;
  if (least == most) {
    snprintf(wanted, sizeof wanted, "a Uint8Array of %zu bytes", least);
  } else {
    snprintf(wanted, sizeof wanted, "a Uint8Array of %zu to %zu bytes", least, most);
  }
  shim_throw_type(call, name, wanted);
  return false;
}

bool shim_take_bytes_of(shim_call *call, size_t index, const char *name, size_t length, shim_bytes *bytes) {
  return shim_take_bytes_within(call, index, name, length, length, bytes);
}

bool shim_take_integer(shim_call *call, size_t index, const char *name, int64_t least, int64_t most,
                       int64_t *number) {
  double value;
  char wanted[80];
  bool known = napi_get_value_double(call->env, call->argument[index], &value) == napi_ok;
  if (known && value >= (double)least && value <= (double)most && value == floor(value)) {
    *number = (int64_t)value;
    return true;
  }
  snprintf(wanted, sizeof wanted, "a whole number from %lld to %lld", (long long)least, (long long)most);
  shim_throw_type(call, name, wanted);
  return false;
}

bool shim_take_descriptor(shim_call *call, size_t index, const char *name, int *descriptor) {
  int64_t number;
  if (!shim_take_integer(call, index, name, 0, INT32_MAX, &number)) return false;
  *descriptor = (int)number;
  return true;
}

bool shim_text_of(shim_call *call, napi_value value, const char *name, char *text, size_t size, size_t *length) {
  char wanted[80];
  size_t needed;
  if (napi_get_value_string_utf8(call->env, value, NULL, 0, &needed) != napi_ok) {
    shim_throw_type(call, name, "a string");
    return false;
  }
  if (needed >= size) {
    snprintf(wanted, sizeof wanted, "a string of at most %zu bytes", size - 1);
    shim_throw_type(call, name, wanted);
    return false;
  }
  if (napi_get_value_string_utf8(call->env, value, text, size, length) != napi_ok) return false;
  if (memchr(text, 0, *length) != NULL) {
    shim_throw_type(call, name, "a string without NUL");
    return false;
  }
  return true;
}

bool shim_take_string(shim_call *call, size_t index, const char *name, char *text, size_t size) {
  size_t length;
  if (!shim_text_of(call, call->argument[index], name, text, size, &length)) return false;
  if (length > 0) return true;
  shim_throw_type(call, name, "a string that is not empty");
  return false;
}

bool shim_is_undefined(shim_call *call, size_t index) {
  napi_valuetype type;
  return napi_typeof(call->env, call->argument[index], &type) == napi_ok && type == napi_undefined;
}

void shim_free_strings(char **list) {
  if (list == NULL) return;
  for (char **each = list; *each != NULL; each++) free(*each);
  free(list);
}

static char *copy_text(shim_call *call, napi_value value, const char *name) {
  size_t length;
  char *text = malloc(MAX_STRING_BYTES + 1);
  if (text == NULL) {
    shim_throw_code(call, "ENOMEM", "out of memory");
    return NULL;
  }
  if (!shim_text_of(call, value, name, text, MAX_STRING_BYTES + 1, &length)) {
    free(text);
    return NULL;
  }
  char *fitted = realloc(text, length + 1);
  return fitted == NULL ? text : fitted;
}

/* A NULL-terminated copy of an array of strings, as execve wants it. */
bool shim_take_strings(shim_call *call, size_t index, const char *name, char ***list) {
  bool is_array = false;
  uint32_t count = 0;
  napi_value value;
  napi_is_array(call->env, call->argument[index], &is_array);
  if (!is_array || napi_get_array_length(call->env, call->argument[index], &count) != napi_ok ||
      count > MAX_STRINGS) {
    shim_throw_type(call, name, "an array of at most 4096 strings");
    return false;
  }
  char **copies = calloc((size_t)count + 1, sizeof *copies);
  if (copies == NULL) {
    shim_throw_code(call, "ENOMEM", "out of memory");
    return false;
  }
  for (uint32_t i = 0; i < count; i++) {
    if (napi_get_element(call->env, call->argument[index], i, &value) != napi_ok ||
        (copies[i] = copy_text(call, value, name)) == NULL) {
      shim_free_strings(copies);
      return false;
    }
  }
  *list = copies;
  return true;
}
