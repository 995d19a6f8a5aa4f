/*
 * Verifies an ECDSA signature over a digest, which node:crypto cannot do. The keeper asks for it before a blind signature made on
 * a token leaves. All inputs are public.
 */
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "shims.h"

#define MAX_SPKI 256
#define MAX_DIGEST 64
#define MAX_SIGNATURE 132
#define MAX_DER 144

/* r||s as DER into `der`; 0 when it cannot be said in DER. */
static int der_of(const shim_bytes *raw, uint8_t *der) {
  size_t half = raw->length / 2;
  ECDSA_SIG *pair = ECDSA_SIG_new();
  BIGNUM *r = BN_bin2bn(raw->data, (int)half, NULL);
  BIGNUM *s = BN_bin2bn(raw->data + half, (int)half, NULL);
  int length = 0;
  if (pair != NULL && r != NULL && s != NULL && ECDSA_SIG_set0(pair, r, s) == 1) {
    uint8_t *end = der;
    r = NULL;
    s = NULL;
    if (i2d_ECDSA_SIG(pair, NULL) <= MAX_DER) length = i2d_ECDSA_SIG(pair, &end);
  }
  BN_free(r);
  BN_free(s);
  ECDSA_SIG_free(pair);
  return length > 0 ? length : 0;
}

static bool verifies(EVP_PKEY *key, const uint8_t *der, int length, const shim_bytes *digest) {
  EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(key, NULL);
  bool good = context != NULL && EVP_PKEY_verify_init(context) == 1 &&
              EVP_PKEY_verify(context, der, (size_t)length, digest->data, digest->length) == 1;
  EVP_PKEY_CTX_free(context);
  return good;
}

/* ecdsaVerifyDigest(spki, digest, signature): false also for a key that is not of an elliptic curve. */
napi_value shim_ecdsa_verify_digest(napi_env env, napi_callback_info info) {
  shim_call call;
  shim_bytes spki;
  shim_bytes digest;
  shim_bytes signature;
  if (!shim_begin(&call, env, info, "ecdsaVerifyDigest")) return NULL;
  if (!shim_take_bytes_within(&call, 0, "spki", 1, MAX_SPKI, &spki)) return NULL;
  if (!shim_take_bytes_within(&call, 1, "digest", 20, MAX_DIGEST, &digest)) return NULL;
  if (!shim_take_bytes_within(&call, 2, "signature", 2, MAX_SIGNATURE, &signature)) return NULL;

  uint8_t der[MAX_DER];
  const uint8_t *end = spki.data;
  EVP_PKEY *key = d2i_PUBKEY(NULL, &end, (long)spki.length);
  bool good = false;
  if (key != NULL && EVP_PKEY_get_base_id(key) == EVP_PKEY_EC && signature.length % 2 == 0) {
    int length = der_of(&signature, der);
    good = length > 0 && verifies(key, der, length, &digest);
  }
  EVP_PKEY_free(key);
  /* A signature that does not verify leaves its reason in a queue that others read. */
  ERR_clear_error();
  napi_value result;
  if (napi_get_boolean(env, good, &result) != napi_ok) return NULL;
  return result;
}
