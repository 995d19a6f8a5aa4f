/*
 * A leaf: one private key inside OpenSSL. The scalar lives in OpenSSL's secure heap when node runs with --secure-heap,
 * and nowhere else: all intermediate copies are overwritten before a function returns.
 */
#ifndef TOUCHSTONE_LEAF_H
#define TOUCHSTONE_LEAF_H

#include "shims.h"

#include <openssl/bn.h>
#include <openssl/evp.h>

#define LEAF_SECRET_BYTES 32
#define LEAF_SIGNATURE_BYTES 64
#define LEAF_HASH_BYTES 32

typedef enum { LEAF_ECDSA_P256, LEAF_ED25519 } leaf_algorithm;

typedef struct {
  leaf_algorithm algorithm;
  EVP_PKEY *key;         /* NULL once wiped */
  EVP_PKEY_CTX *signing; /* ECDSA only: initialised once, used for every signature */
} leaf;

/* Per environment (main thread or worker): what every signature shares. */
typedef struct {
  EVP_MD *sha256;
  EVP_MD_CTX *digesting;
  EVP_MD_CTX *ed25519;
} leaf_engine;

leaf_engine *leaf_engine_new(void);
void leaf_engine_free(leaf_engine *engine);

/* Takes the algorithm argument; false after throwing. */
bool leaf_take_algorithm(shim_call *call, size_t index, leaf_algorithm *algorithm);
/* The living leaf behind a handle; NULL after throwing (not a handle, or wiped). */
leaf *leaf_take(shim_call *call, size_t index);

/* Both overwrite nothing of their input; NULL when OpenSSL fails or the scalar is out of range. */
leaf *leaf_from_scalar(BIGNUM *scalar);
leaf *leaf_from_seed(const uint8_t seed[LEAF_SECRET_BYTES]);
/* Wraps into a handle that owns the leaf; throws when `made` is NULL. */
napi_value leaf_handle(shim_call *call, leaf *made);

/* Throws what OpenSSL reported (ENOMEM for a full secure heap) and empties its queue. */
napi_value leaf_throw_openssl(shim_call *call, const char *what);
/* False after throwing ENOMEM when the secure heap has no room left for one more key and for signing. */
bool leaf_has_room(shim_call *call);
/* Overwrites stack that OpenSSL's point multiplication left a scalar on. */
void leaf_burn_stack(void);

/* `hash` is the SHA-256 of `message`; Ed25519 signs the message itself and ignores it. */
bool leaf_sign_message(leaf_engine *engine, leaf *used, shim_bytes message, const uint8_t hash[LEAF_HASH_BYTES],
                       uint8_t signature[LEAF_SIGNATURE_BYTES]);
bool leaf_sha256(leaf_engine *engine, const uint8_t *data, size_t length, uint8_t hash[LEAF_HASH_BYTES]);

#endif
