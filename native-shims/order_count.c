/*
 * The keeper's order count: h(n) = SHA-256(h(n-1) || U64BE(n) || key id || SHA-256(message)). The state holds the first
 * three in that order, so that one buffer is memory and hash input at once. A failed signature leaves it as it was.
 */
#include "leaf.h"

#include <string.h>

#define STATE_BYTES 72
#define NUMBER_OFFSET 32
#define NUMBER_BYTES 8
#define INPUT_BYTES (STATE_BYTES + LEAF_HASH_BYTES)

/* The state after one more order; `next` differs from the state only in running hash and number. */
static bool next_state(leaf_engine *engine, const uint8_t *state, const uint8_t hash[LEAF_HASH_BYTES],
                       uint8_t next[INPUT_BYTES]) {
  memcpy(next, state, STATE_BYTES);
  memcpy(next + STATE_BYTES, hash, LEAF_HASH_BYTES);
  for (int i = NUMBER_OFFSET + NUMBER_BYTES - 1; i >= NUMBER_OFFSET && ++next[i] == 0; i--) continue;
  return leaf_sha256(engine, next, INPUT_BYTES, next);
}

napi_value shim_leaf_sign_counted(napi_env env, napi_callback_info info) {
  shim_call call;
  shim_bytes message, state;
  uint8_t next[INPUT_BYTES];
  uint8_t answer[LEAF_SIGNATURE_BYTES + LEAF_HASH_BYTES];
  uint8_t *hash = answer + LEAF_SIGNATURE_BYTES;
  napi_value result;
  if (!shim_begin(&call, env, info, "leafSignCounted")) return NULL;
  leaf *used = leaf_take(&call, 0);
  if (used == NULL || !shim_take_bytes(&call, 1, "message", &message) ||
      !shim_take_bytes_of(&call, 2, "state", STATE_BYTES, &state)) {
    return NULL;
  }
  if (!leaf_sha256(call.data, message.data, message.length, hash) || !next_state(call.data, state.data, hash, next) ||
      !leaf_sign_message(call.data, used, message, hash, answer)) {
    return leaf_throw_openssl(&call, "signing failed");
  }
  if (napi_create_buffer_copy(env, sizeof answer, answer, NULL, &result) != napi_ok) return NULL;
  memcpy(state.data, next, NUMBER_OFFSET + NUMBER_BYTES);
  return result;
}

napi_value shim_order_advance(napi_env env, napi_callback_info info) {
  shim_call call;
  shim_bytes hash, state;
  uint8_t next[INPUT_BYTES];
  if (!shim_begin(&call, env, info, "orderAdvance") ||
      !shim_take_bytes_of(&call, 0, "messageHash", LEAF_HASH_BYTES, &hash) ||
      !shim_take_bytes_of(&call, 1, "state", STATE_BYTES, &state)) {
    return NULL;
  }
  if (!next_state(call.data, state.data, hash.data, next)) return leaf_throw_openssl(&call, "hashing failed");
  memcpy(state.data, next, NUMBER_OFFSET + NUMBER_BYTES);
  return NULL;
}
