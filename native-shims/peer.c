/* Who is on the other end of a connected Unix socket, from the kernel (unix(7), SO_PEERCRED). */
#include "shims.h"

#include <errno.h>
#include <sys/socket.h>

napi_value shim_peer_credentials(napi_env env, napi_callback_info info) {
  shim_call call;
  int descriptor;
  if (!shim_begin(&call, env, info, "peerCredentials") || !shim_take_descriptor(&call, 0, "fd", &descriptor)) {
    return NULL;
  }
#ifdef SO_PEERCRED
  struct ucred peer;
  socklen_t length = sizeof peer;
  int listening = 0;
  socklen_t listening_length = sizeof listening;
  /* A listener answers SO_PEERCRED with the process that made it. */
  if (getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &listening, &listening_length) != 0) {
    return shim_throw_errno(&call, "getsockopt", errno);
  }
  if (listening != 0) return shim_throw_errno(&call, "getsockopt", ENOTCONN);
  if (getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0) {
    return shim_throw_errno(&call, "getsockopt", errno);
  }
  /* A socket without a peer, or of another family, has pid 0 or uid -1: never let that pass for somebody. */
  if (length != sizeof peer || peer.pid <= 0 || peer.uid == (uid_t)-1) {
    return shim_throw_errno(&call, "getsockopt", ENOTCONN);
  }
  const shim_number_field fields[] = {{"pid", peer.pid}, {"uid", peer.uid}, {"gid", peer.gid}};
  return shim_number_object(&call, fields, 3);
#else
  return shim_throw_missing(&call);
#endif
}
