/*
 * Shared by all files of the native shim: how arguments are taken, how failures are thrown, and which functions exist.
 * Every function checks its arguments before it touches anything: a wrong argument is a TypeError, never a crash.
 */
#ifndef TOUCHSTONE_SHIMS_H
#define TOUCHSTONE_SHIMS_H

#include <node_api.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SHIM_MAX_ARGUMENTS 5

/* One call from JavaScript. `function` names it in error texts. */
typedef struct {
  napi_env env;
  const char *function;
  napi_value argument[SHIM_MAX_ARGUMENTS];
  void *data;
} shim_call;

/* A view of the caller's Uint8Array; valid until the call returns. */
typedef struct {
  uint8_t *data;
  size_t length;
} shim_bytes;

/* arguments.c: each returns false after throwing a TypeError that names the argument. */
bool shim_begin(shim_call *call, napi_env env, napi_callback_info info, const char *function);
bool shim_take_bytes(shim_call *call, size_t index, const char *name, shim_bytes *bytes);
bool shim_take_bytes_of(shim_call *call, size_t index, const char *name, size_t length, shim_bytes *bytes);
bool shim_take_bytes_within(shim_call *call, size_t index, const char *name, size_t least, size_t most,
                            shim_bytes *bytes);
bool shim_take_integer(shim_call *call, size_t index, const char *name, int64_t least, int64_t most,
                       int64_t *number);
bool shim_take_string(shim_call *call, size_t index, const char *name, char *text, size_t size);
bool shim_take_strings(shim_call *call, size_t index, const char *name, char ***list);
void shim_free_strings(char **list);
bool shim_is_undefined(shim_call *call, size_t index);
bool shim_text_of(shim_call *call, napi_value value, const char *name, char *text, size_t size, size_t *length);
bool shim_take_descriptor(shim_call *call, size_t index, const char *name, int *descriptor);

/* failures.c: each throws and returns NULL, so that a caller can return the result. */
napi_value shim_throw_type(shim_call *call, const char *name, const char *wanted);
napi_value shim_throw_code(shim_call *call, const char *code, const char *what);
napi_value shim_throw_errno(shim_call *call, const char *what, int number);
napi_value shim_throw_missing(shim_call *call);

/* Builds an object of numbers; NULL after throwing. */
typedef struct {
  const char *name;
  double value;
} shim_number_field;
napi_value shim_number_object(shim_call *call, const shim_number_field *fields, size_t count);

/* The functions, one family per file. */
napi_value shim_leaf_derive(napi_env env, napi_callback_info info);
napi_value shim_leaf_import(napi_env env, napi_callback_info info);
napi_value shim_leaf_public(napi_env env, napi_callback_info info);
napi_value shim_leaf_export_into(napi_env env, napi_callback_info info);
napi_value shim_leaf_wipe(napi_env env, napi_callback_info info);
napi_value shim_leaf_sign(napi_env env, napi_callback_info info);
napi_value shim_leaf_sign_digest(napi_env env, napi_callback_info info);
napi_value shim_ecdsa_verify_digest(napi_env env, napi_callback_info info);
napi_value shim_leaf_sign_counted(napi_env env, napi_callback_info info);
napi_value shim_order_advance(napi_env env, napi_callback_info info);
napi_value shim_peer_credentials(napi_env env, napi_callback_info info);
napi_value shim_watch_process_exit(napi_env env, napi_callback_info info);
napi_value shim_socket_pair(napi_env env, napi_callback_info info);
napi_value shim_listen_unix(napi_env env, napi_callback_info info);
napi_value shim_notify_socket(napi_env env, napi_callback_info info);
napi_value shim_directory_facts(napi_env env, napi_callback_info info);
napi_value shim_try_lock_file(napi_env env, napi_callback_info info);
napi_value shim_harden_process(napi_env env, napi_callback_info info);
napi_value shim_die_with_parent(napi_env env, napi_callback_info info);
napi_value shim_hardening_facts(napi_env env, napi_callback_info info);
napi_value shim_replace_process(napi_env env, napi_callback_info info);
napi_value shim_pkcs11_login(napi_env env, napi_callback_info info);
napi_value shim_pkcs11_init_token(napi_env env, napi_callback_info info);
napi_value shim_pkcs11_init_pin(napi_env env, napi_callback_info info);
napi_value shim_pcsc_readers(napi_env env, napi_callback_info info);
napi_value shim_pcsc_open(napi_env env, napi_callback_info info);
napi_value shim_pcsc_transmit(napi_env env, napi_callback_info info);
napi_value shim_pcsc_close(napi_env env, napi_callback_info info);

#endif
