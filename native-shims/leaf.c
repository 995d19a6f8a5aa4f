/* Leaf keys: making, importing, exporting, wiping. Signing is in leaf_sign.c, derivation in leaf_derive.c. */
#include "leaf.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/obj_mac.h>
#include <openssl/param_build.h>
#include <stdlib.h>
#include <string.h>

#define POINT_BYTES 65
/* One key takes under 2 KiB while it is made and one signature under 4 KiB of temporary numbers. */
#define SECURE_ROOM_BYTES 16384
#define BURN_BYTES 32768

/* Marks our handles, so that no other object of any addon passes for one. */
static const napi_type_tag LEAF_TAG = {0x8d4e6a51c0f34b27ULL, 0x9b1fa7c2d6e80f35ULL};

__attribute__((noinline)) void leaf_burn_stack(void) {
  uint8_t stack[BURN_BYTES];
  OPENSSL_cleanse(stack, sizeof stack);
}

bool leaf_has_room(shim_call *call) {
  if (!CRYPTO_secure_malloc_initialized()) return true;
  void *room = OPENSSL_secure_malloc(SECURE_ROOM_BYTES);
  ERR_clear_error();
  if (room == NULL) {
    shim_throw_code(call, "ENOMEM", "the secure heap is full");
    return false;
  }
  OPENSSL_secure_free(room);
  return true;
}

napi_value leaf_throw_openssl(shim_call *call, const char *what) {
  bool out_of_memory = false;
  unsigned long error;
  while ((error = ERR_get_error()) != 0) {
    if (ERR_GET_REASON(error) == ERR_R_MALLOC_FAILURE) out_of_memory = true;
  }
  if (out_of_memory) return shim_throw_code(call, "ENOMEM", "the secure heap is full");
  return shim_throw_code(call, "EIO", what);
}

bool leaf_take_algorithm(shim_call *call, size_t index, leaf_algorithm *algorithm) {
  char text[16];
  if (!shim_take_string(call, index, "algorithm", text, sizeof text)) return false;
  if (strcmp(text, "ecdsa-p256") == 0) {
    *algorithm = LEAF_ECDSA_P256;
  } else if (strcmp(text, "ed25519") == 0) {
    *algorithm = LEAF_ED25519;
  } else {
    shim_throw_type(call, "algorithm", "ecdsa-p256 or ed25519");
    return false;
  }
  return true;
}

static void leaf_clear(leaf *cleared) {
  EVP_PKEY_CTX_free(cleared->signing);
  EVP_PKEY_free(cleared->key);
  cleared->signing = NULL;
  cleared->key = NULL;
}

static void leaf_finalize(napi_env env, void *data, void *hint) {
  (void)env;
  (void)hint;
  leaf_clear(data);
  free(data);
}

/* The leaf behind a handle, wiped or not; NULL after throwing. */
static leaf *leaf_of(shim_call *call, size_t index) {
  bool ours = false;
  void *found = NULL;
  if (napi_check_object_type_tag(call->env, call->argument[index], &LEAF_TAG, &ours) != napi_ok || !ours ||
      napi_unwrap(call->env, call->argument[index], &found) != napi_ok) {
    bool pending = false;
    napi_value ignored;
    napi_is_exception_pending(call->env, &pending);
    if (pending) napi_get_and_clear_last_exception(call->env, &ignored);
    shim_throw_type(call, "handle", "a leaf");
    return NULL;
  }
  return found;
}

leaf *leaf_take(shim_call *call, size_t index) {
  leaf *found = leaf_of(call, index);
  if (found == NULL || found->key != NULL) return found;
  shim_throw_code(call, "ENOKEY", "the leaf is wiped");
  return NULL;
}

static leaf *leaf_around(leaf_algorithm algorithm, EVP_PKEY *key) {
  leaf *made = calloc(1, sizeof *made);
  if (made == NULL) {
    EVP_PKEY_free(key);
    return NULL;
  }
  made->algorithm = algorithm;
  made->key = key;
  if (algorithm == LEAF_ED25519) return made;
  made->signing = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
  if (made->signing == NULL || EVP_PKEY_sign_init(made->signing) != 1) {
    leaf_finalize(NULL, made, NULL);
    return NULL;
  }
  return made;
}

/* scalar * G as an uncompressed point, or false when the scalar is not in 1..n-1. */
static bool public_point(BIGNUM *scalar, uint8_t point[POINT_BYTES]) {
  bool done = false;
  EC_GROUP *group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
  EC_POINT *product = group == NULL ? NULL : EC_POINT_new(group);
  BN_CTX *numbers = BN_CTX_secure_new();
  if (product != NULL && numbers != NULL && !BN_is_zero(scalar) &&
      BN_cmp(scalar, EC_GROUP_get0_order(group)) < 0) {
    done = EC_POINT_mul(group, product, scalar, NULL, NULL, numbers) == 1 &&
           EC_POINT_point2oct(group, product, POINT_CONVERSION_UNCOMPRESSED, point, POINT_BYTES, numbers) ==
               POINT_BYTES;
  }
  BN_CTX_free(numbers);
  EC_POINT_free(product);
  EC_GROUP_free(group);
  return done;
}

leaf *leaf_from_scalar(BIGNUM *scalar) {
  uint8_t point[POINT_BYTES];
  EVP_PKEY *key = NULL;
  OSSL_PARAM *parameters = NULL;
  BN_set_flags(scalar, BN_FLG_CONSTTIME);
  bool known = public_point(scalar, point);
  OSSL_PARAM_BLD *building = OSSL_PARAM_BLD_new();
  EVP_PKEY_CTX *making = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
  if (known && building != NULL && making != NULL &&
      OSSL_PARAM_BLD_push_utf8_string(building, OSSL_PKEY_PARAM_GROUP_NAME, SN_X9_62_prime256v1, 0) == 1 &&
      OSSL_PARAM_BLD_push_octet_string(building, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point) == 1 &&
      OSSL_PARAM_BLD_push_BN_pad(building, OSSL_PKEY_PARAM_PRIV_KEY, scalar, LEAF_SECRET_BYTES) == 1 &&
      (parameters = OSSL_PARAM_BLD_to_param(building)) != NULL && EVP_PKEY_fromdata_init(making) == 1 &&
      EVP_PKEY_fromdata(making, &key, EVP_PKEY_KEYPAIR, parameters) != 1) {
    key = NULL;
  }
  OSSL_PARAM_free(parameters);
  OSSL_PARAM_BLD_free(building);
  EVP_PKEY_CTX_free(making);
  leaf_burn_stack();
  return key == NULL ? NULL : leaf_around(LEAF_ECDSA_P256, key);
}

leaf *leaf_from_seed(const uint8_t seed[LEAF_SECRET_BYTES]) {
  EVP_PKEY *raw = EVP_PKEY_new_raw_private_key_ex(NULL, "ED25519", NULL, seed, LEAF_SECRET_BYTES);
  /* OpenSSL 3.0 keeps an imported seed in the ordinary heap and a duplicated one in the secure heap. */
  EVP_PKEY *key = raw == NULL ? NULL : EVP_PKEY_dup(raw);
  EVP_PKEY_free(raw);
  leaf_burn_stack();
  return key == NULL ? NULL : leaf_around(LEAF_ED25519, key);
}

napi_value leaf_handle(shim_call *call, leaf *made) {
  napi_value handle;
  if (made == NULL) return leaf_throw_openssl(call, "the key could not be made");
  if (napi_create_object(call->env, &handle) != napi_ok ||
      napi_type_tag_object(call->env, handle, &LEAF_TAG) != napi_ok ||
      napi_wrap(call->env, handle, made, leaf_finalize, NULL, NULL) != napi_ok) {
    leaf_finalize(call->env, made, NULL);
    return shim_throw_code(call, "EIO", "the handle could not be made");
  }
  return handle;
}

napi_value shim_leaf_import(napi_env env, napi_callback_info info) {
  shim_call call;
  leaf_algorithm algorithm;
  shim_bytes secret;
  if (!shim_begin(&call, env, info, "leafImport") || !leaf_take_algorithm(&call, 0, &algorithm) ||
      !shim_take_bytes_of(&call, 1, "secret", LEAF_SECRET_BYTES, &secret)) {
    return NULL;
  }
  leaf *made = NULL;
  bool room = leaf_has_room(&call);
  if (room && algorithm == LEAF_ED25519) {
    made = leaf_from_seed(secret.data);
  } else if (room) {
    BIGNUM *scalar = BN_secure_new();
    if (scalar != NULL && BN_bin2bn(secret.data, LEAF_SECRET_BYTES, scalar) != NULL) made = leaf_from_scalar(scalar);
    BN_clear_free(scalar);
  }
  OPENSSL_cleanse(secret.data, secret.length);
  return room ? leaf_handle(&call, made) : NULL;
}

napi_value shim_leaf_public(napi_env env, napi_callback_info info) {
  shim_call call;
  uint8_t key[POINT_BYTES];
  size_t length = sizeof key;
  napi_value result;
  if (!shim_begin(&call, env, info, "leafPublic")) return NULL;
  leaf *used = leaf_take(&call, 0);
  if (used == NULL) return NULL;
  int done = used->algorithm == LEAF_ED25519
                 ? EVP_PKEY_get_raw_public_key(used->key, key, &length)
                 : EVP_PKEY_get_octet_string_param(used->key, OSSL_PKEY_PARAM_PUB_KEY, key, sizeof key, &length);
  if (done != 1) return leaf_throw_openssl(&call, "the public key could not be read");
  return napi_create_buffer_copy(env, length, key, NULL, &result) == napi_ok ? result : NULL;
}

static bool scalar_of(leaf *used, uint8_t scalar[LEAF_SECRET_BYTES]) {
  uint8_t native[LEAF_SECRET_BYTES];
  OSSL_PARAM wanted[2] = {OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_PRIV_KEY, native, sizeof native),
                          OSSL_PARAM_construct_end()};
  BIGNUM *number = BN_secure_new();
  bool done = number != NULL && EVP_PKEY_get_params(used->key, wanted) == 1 &&
              OSSL_PARAM_get_BN(&wanted[0], &number) == 1 &&
              BN_bn2binpad(number, scalar, LEAF_SECRET_BYTES) == LEAF_SECRET_BYTES;
  BN_clear_free(number);
  OPENSSL_cleanse(native, sizeof native);
  return done;
}

napi_value shim_leaf_export_into(napi_env env, napi_callback_info info) {
  shim_call call;
  shim_bytes target;
  size_t length = LEAF_SECRET_BYTES;
  if (!shim_begin(&call, env, info, "leafExportInto")) return NULL;
  leaf *used = leaf_take(&call, 0);
  if (used == NULL || !shim_take_bytes_of(&call, 1, "target", LEAF_SECRET_BYTES, &target)) return NULL;
  bool done = used->algorithm == LEAF_ED25519 ? EVP_PKEY_get_raw_private_key(used->key, target.data, &length) == 1
                                              : scalar_of(used, target.data);
  leaf_burn_stack();
  if (!done) {
    OPENSSL_cleanse(target.data, target.length);
    return leaf_throw_openssl(&call, "the key could not be copied");
  }
  return NULL;
}

napi_value shim_leaf_wipe(napi_env env, napi_callback_info info) {
  shim_call call;
  if (!shim_begin(&call, env, info, "leafWipe")) return NULL;
  leaf *wiped = leaf_of(&call, 0);
  if (wiped != NULL) leaf_clear(wiped);
  return NULL;
}
