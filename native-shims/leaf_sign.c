/* Signing: the hot path. Nothing is fetched or initialised per ECDSA signature, and DER is read on the stack. */
#include "leaf.h"

#include <stdlib.h>
#include <string.h>

/* SEQUENCE of two INTEGERs of at most 33 bytes. */
#define MAX_DER_BYTES 72
#define HALF_BYTES 32

leaf_engine *leaf_engine_new(void) {
  leaf_engine *engine = calloc(1, sizeof *engine);
  if (engine == NULL) return NULL;
  engine->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
  engine->digesting = EVP_MD_CTX_new();
  engine->ed25519 = EVP_MD_CTX_new();
  if (engine->sha256 != NULL && engine->digesting != NULL && engine->ed25519 != NULL) return engine;
  leaf_engine_free(engine);
  return NULL;
}

void leaf_engine_free(leaf_engine *engine) {
  EVP_MD_CTX_free(engine->digesting);
  EVP_MD_CTX_free(engine->ed25519);
  EVP_MD_free(engine->sha256);
  free(engine);
}

bool leaf_sha256(leaf_engine *engine, const uint8_t *data, size_t length, uint8_t hash[LEAF_HASH_BYTES]) {
  return EVP_DigestInit_ex(engine->digesting, engine->sha256, NULL) == 1 &&
         EVP_DigestUpdate(engine->digesting, data, length) == 1 &&
         EVP_DigestFinal_ex(engine->digesting, hash, NULL) == 1;
}

/* Reads one INTEGER into 32 bytes; returns where it ends, NULL when it is not a positive number of that size. */
static const uint8_t *read_half(const uint8_t *at, const uint8_t *end, uint8_t half[HALF_BYTES]) {
  if (end - at < 2 || at[0] != 0x02) return NULL;
  size_t length = at[1];
  at += 2;
  if (length == 0 || length > HALF_BYTES + 1 || (size_t)(end - at) < length) return NULL;
  const uint8_t *next = at + length;
  if (length == HALF_BYTES + 1) {
    if (at[0] != 0) return NULL;
    at++;
    length--;
  }
  memset(half, 0, HALF_BYTES - length);
  memcpy(half + HALF_BYTES - length, at, length);
  return next;
}

static bool read_der(const uint8_t *der, size_t length, uint8_t signature[LEAF_SIGNATURE_BYTES]) {
  if (length < 2 || der[0] != 0x30 || der[1] != length - 2) return false;
  const uint8_t *end = der + length;
  const uint8_t *second = read_half(der + 2, end, signature);
  return second != NULL && read_half(second, end, signature + HALF_BYTES) == end;
}

static bool sign_digest(leaf *used, const uint8_t digest[LEAF_HASH_BYTES], uint8_t signature[LEAF_SIGNATURE_BYTES]) {
  uint8_t der[MAX_DER_BYTES];
  size_t length = sizeof der;
  return EVP_PKEY_sign(used->signing, der, &length, digest, LEAF_HASH_BYTES) == 1 &&
         read_der(der, length, signature);
}

/* An Ed25519 context is made anew each time: newer OpenSSL refuses to use a finished one again. */
static bool sign_ed25519(leaf_engine *engine, leaf *used, shim_bytes message,
                         uint8_t signature[LEAF_SIGNATURE_BYTES]) {
  size_t length = LEAF_SIGNATURE_BYTES;
  bool done = EVP_DigestSignInit(engine->ed25519, NULL, NULL, NULL, used->key) == 1 &&
              EVP_DigestSign(engine->ed25519, signature, &length, message.data, message.length) == 1 &&
              length == LEAF_SIGNATURE_BYTES;
  /* The context refers to the key: it must not outlive a wipe. */
  EVP_MD_CTX_reset(engine->ed25519);
  return done;
}

bool leaf_sign_message(leaf_engine *engine, leaf *used, shim_bytes message, const uint8_t hash[LEAF_HASH_BYTES],
                       uint8_t signature[LEAF_SIGNATURE_BYTES]) {
  if (used->algorithm == LEAF_ED25519) return sign_ed25519(engine, used, message, signature);
  return sign_digest(used, hash, signature);
}

static napi_value signature_buffer(shim_call *call, const uint8_t *bytes, size_t length) {
  napi_value result;
  return napi_create_buffer_copy(call->env, length, bytes, NULL, &result) == napi_ok ? result : NULL;
}

napi_value shim_leaf_sign(napi_env env, napi_callback_info info) {
  shim_call call;
  shim_bytes message;
  uint8_t hash[LEAF_HASH_BYTES];
  uint8_t signature[LEAF_SIGNATURE_BYTES];
  if (!shim_begin(&call, env, info, "leafSign")) return NULL;
  leaf *used = leaf_take(&call, 0);
  if (used == NULL || !shim_take_bytes(&call, 1, "message", &message)) return NULL;
  bool hashed = used->algorithm == LEAF_ED25519 || leaf_sha256(call.data, message.data, message.length, hash);
  if (!hashed || !leaf_sign_message(call.data, used, message, hash, signature)) return leaf_throw_openssl(&call, "signing failed");
  return signature_buffer(&call, signature, sizeof signature);
}

napi_value shim_leaf_sign_digest(napi_env env, napi_callback_info info) {
  shim_call call;
  shim_bytes digest;
  uint8_t signature[LEAF_SIGNATURE_BYTES];
  if (!shim_begin(&call, env, info, "leafSignDigest")) return NULL;
  leaf *used = leaf_take(&call, 0);
  if (used == NULL || !shim_take_bytes_of(&call, 1, "digest", LEAF_HASH_BYTES, &digest)) return NULL;
  if (used->algorithm == LEAF_ED25519) return shim_throw_type(&call, "handle", "an ecdsa-p256 leaf");
  if (!sign_digest(used, digest.data, signature)) return leaf_throw_openssl(&call, "signing failed");
  return signature_buffer(&call, signature, sizeof signature);
}
