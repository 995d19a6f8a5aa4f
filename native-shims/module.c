/* The table of functions that src/platform/native-shims.ts describes. */
#include "leaf.h"

static void on_environment_end(napi_env env, void *data, void *hint) {
  (void)env;
  (void)hint;
  leaf_engine_free(data);
}

static const struct {
  const char *name;
  napi_callback function;
} FUNCTIONS[] = {
    {"leafDerive", shim_leaf_derive},
    {"leafImport", shim_leaf_import},
    {"leafPublic", shim_leaf_public},
    {"leafSign", shim_leaf_sign},
    {"leafSignDigest", shim_leaf_sign_digest},
    {"ecdsaVerifyDigest", shim_ecdsa_verify_digest},
    {"leafSignCounted", shim_leaf_sign_counted},
    {"orderAdvance", shim_order_advance},
    {"leafExportInto", shim_leaf_export_into},
    {"leafWipe", shim_leaf_wipe},
    {"peerCredentials", shim_peer_credentials},
    {"watchProcessExit", shim_watch_process_exit},
    {"socketPair", shim_socket_pair},
    {"listenUnix", shim_listen_unix},
    {"directoryFacts", shim_directory_facts},
    {"tryLockFile", shim_try_lock_file},
    {"hardenProcess", shim_harden_process},
    {"dieWithParent", shim_die_with_parent},
    {"hardeningFacts", shim_hardening_facts},
    {"replaceProcess", shim_replace_process},
    {"notifySocket", shim_notify_socket},
    {"pkcs11Login", shim_pkcs11_login},
    {"pkcs11InitToken", shim_pkcs11_init_token},
    {"pkcs11InitPin", shim_pkcs11_init_pin},
    {"pcscReaders", shim_pcsc_readers},
    {"pcscOpen", shim_pcsc_open},
    {"pcscTransmit", shim_pcsc_transmit},
    {"pcscClose", shim_pcsc_close},
};

NAPI_MODULE_INIT() {
  leaf_engine *engine = leaf_engine_new();
  napi_value function;
  if (engine == NULL || napi_set_instance_data(env, engine, on_environment_end, NULL) != napi_ok) {
    napi_throw_error(env, "ENOMEM", "touchstone_shims: out of memory");
    return NULL;
  }
  for (size_t i = 0; i < sizeof FUNCTIONS / sizeof FUNCTIONS[0]; i++) {
    if (napi_create_function(env, FUNCTIONS[i].name, NAPI_AUTO_LENGTH, FUNCTIONS[i].function, engine, &function) !=
            napi_ok ||
        napi_set_named_property(env, exports, FUNCTIONS[i].name, function) != napi_ok) {
      return NULL;
    }
  }
  return exports;
}
