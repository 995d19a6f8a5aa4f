/* derive v1, steps 2 and 3 (docs/spec/derivation.md): HKDF-SHA-256 (RFC 5869), then a scalar or a seed. */
#include "leaf.h"

#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/hmac.h>
#include <openssl/obj_mac.h>
#include <string.h>

#define SCALAR_OKM_BYTES 48
#define MAX_OKM_BYTES 64
/* LP of five fields of the longest lengths, and eight bytes, is 439. */
#define MAX_CONTEXT_BYTES 512
#define MAX_SALT_BYTES 64
#define MIN_PRF_BYTES 32
#define MAX_PRF_BYTES 64

static bool hmac(const uint8_t *key, size_t key_length, const uint8_t *data, size_t length,
                 uint8_t mac[LEAF_HASH_BYTES]) {
  return HMAC(EVP_sha256(), key, (int)key_length, data, length, mac, NULL) != NULL;
}

/* HKDF-Expand for one or two blocks: T(1) = HMAC(PRK, info || 1), T(2) = HMAC(PRK, T(1) || info || 2). */
static bool expand(const uint8_t prk[LEAF_HASH_BYTES], shim_bytes context, uint8_t okm[MAX_OKM_BYTES]) {
  uint8_t block[LEAF_HASH_BYTES + MAX_CONTEXT_BYTES + 1];
  memcpy(block + LEAF_HASH_BYTES, context.data, context.length);
  block[LEAF_HASH_BYTES + context.length] = 1;
  bool done = hmac(prk, LEAF_HASH_BYTES, block + LEAF_HASH_BYTES, context.length + 1, okm);
  if (done) {
    memcpy(block, okm, LEAF_HASH_BYTES);
    block[LEAF_HASH_BYTES + context.length] = 2;
    done = hmac(prk, LEAF_HASH_BYTES, block, LEAF_HASH_BYTES + context.length + 1, okm + LEAF_HASH_BYTES);
  }
  OPENSSL_cleanse(block, sizeof block);
  return done;
}

/* (OS2IP(okm) mod (n - 1)) + 1 */
static leaf *from_okm(const uint8_t okm[SCALAR_OKM_BYTES]) {
  leaf *made = NULL;
  EC_GROUP *group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
  BIGNUM *modulus = group == NULL ? NULL : BN_dup(EC_GROUP_get0_order(group));
  BIGNUM *wide = BN_secure_new();
  BIGNUM *scalar = BN_secure_new();
  BN_CTX *numbers = BN_CTX_secure_new();
  if (modulus != NULL && wide != NULL && scalar != NULL && numbers != NULL && BN_sub_word(modulus, 1) == 1 &&
      BN_bin2bn(okm, SCALAR_OKM_BYTES, wide) != NULL) {
    BN_set_flags(wide, BN_FLG_CONSTTIME);
    BN_set_flags(scalar, BN_FLG_CONSTTIME);
    if (BN_mod(scalar, wide, modulus, numbers) == 1 && BN_add_word(scalar, 1) == 1) made = leaf_from_scalar(scalar);
  }
  BN_CTX_free(numbers);
  BN_clear_free(scalar);
  BN_clear_free(wide);
  BN_free(modulus);
  EC_GROUP_free(group);
  return made;
}

static leaf *derive(leaf_algorithm algorithm, shim_bytes salt, shim_bytes prf, shim_bytes context) {
  uint8_t prk[LEAF_HASH_BYTES];
  uint8_t okm[MAX_OKM_BYTES];
  leaf *made = NULL;
  if (hmac(salt.data, salt.length, prf.data, prf.length, prk) && expand(prk, context, okm)) {
    made = algorithm == LEAF_ED25519 ? leaf_from_seed(okm) : from_okm(okm);
  }
  OPENSSL_cleanse(prk, sizeof prk);
  OPENSSL_cleanse(okm, sizeof okm);
  return made;
}

napi_value shim_leaf_derive(napi_env env, napi_callback_info info) {
  shim_call call;
  leaf_algorithm algorithm;
  shim_bytes salt, prf, context;
  if (!shim_begin(&call, env, info, "leafDerive") || !leaf_take_algorithm(&call, 0, &algorithm) ||
      !shim_take_bytes_within(&call, 1, "salt", 1, MAX_SALT_BYTES, &salt) ||
      !shim_take_bytes_within(&call, 2, "prf", MIN_PRF_BYTES, MAX_PRF_BYTES, &prf) ||
      !shim_take_bytes_within(&call, 3, "context", 1, MAX_CONTEXT_BYTES, &context)) {
    return NULL;
  }
  bool room = leaf_has_room(&call);
  leaf *made = room ? derive(algorithm, salt, prf, context) : NULL;
  OPENSSL_cleanse(prf.data, prf.length);
  leaf_burn_stack();
  return room ? leaf_handle(&call, made) : NULL;
}
