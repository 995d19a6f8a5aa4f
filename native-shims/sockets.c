/* Unix sockets: a pair for a child, a private listener, and the datagram of sd_notify. */
#include "shims.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define NOTIFY_TIMEOUT_SECONDS 2
#define MAX_STATE_BYTES 4096

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0
#endif

/* Marks close-on-exec and non-blocking; false leaves errno. */
static bool prepare(int descriptor) {
  int flags = fcntl(descriptor, F_GETFL);
  return flags >= 0 && fcntl(descriptor, F_SETFL, flags | O_NONBLOCK) == 0 &&
         fcntl(descriptor, F_SETFD, FD_CLOEXEC) == 0;
}

static int open_socket(int type) {
#ifdef SOCK_CLOEXEC
  return socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
#else
  int made = socket(AF_UNIX, type, 0);
  if (made >= 0) fcntl(made, F_SETFD, FD_CLOEXEC);
  return made;
#endif
}

napi_value shim_socket_pair(napi_env env, napi_callback_info info) {
  shim_call call;
  int ends[2];
  napi_value result;
  napi_value number;
  if (!shim_begin(&call, env, info, "socketPair")) return NULL;
#ifdef SOCK_CLOEXEC
  int made = socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends);
#else
  int made = socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
#endif
  if (made != 0) return shim_throw_errno(&call, "socketpair", errno);
  bool done = prepare(ends[0]) && prepare(ends[1]) && napi_create_array_with_length(env, 2, &result) == napi_ok;
  for (uint32_t i = 0; done && i < 2; i++) {
    done = napi_create_int32(env, ends[i], &number) == napi_ok && napi_set_element(env, result, i, number) == napi_ok;
  }
  if (done) return result;
  close(ends[0]);
  close(ends[1]);
  return shim_throw_code(&call, "EIO", "the pair could not be returned");
}

/* Fills an address; false when the path does not fit. `abstract` paths begin with @ (unix(7)). */
static bool address_of(const char *path, bool abstract, struct sockaddr_un *address, socklen_t *length) {
  size_t bytes = strlen(path);
  memset(address, 0, sizeof *address);
  address->sun_family = AF_UNIX;
  if (bytes >= sizeof address->sun_path) return false;
  memcpy(address->sun_path, path, bytes);
  if (abstract) address->sun_path[0] = '\0';
  *length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + bytes + (abstract ? 0 : 1));
  return true;
}

napi_value shim_listen_unix(napi_env env, napi_callback_info info) {
  shim_call call;
  char path[512];
  int64_t backlog;
  struct sockaddr_un address;
  socklen_t length;
  napi_value result;
  if (!shim_begin(&call, env, info, "listenUnix") || !shim_take_string(&call, 0, "path", path, sizeof path) ||
      !shim_take_integer(&call, 1, "backlog", 1, 65535, &backlog)) {
    return NULL;
  }
  if (!address_of(path, false, &address, &length)) return shim_throw_errno(&call, "bind", ENAMETOOLONG);
  int listener = open_socket(SOCK_STREAM);
  if (listener < 0) return shim_throw_errno(&call, "socket", errno);
  const char *step = "fcntl";
  bool done = prepare(listener);
  if (done) {
    step = "bind";
    mode_t before = umask(0177);
    done = bind(listener, (struct sockaddr *)&address, length) == 0;
    int failed = errno;
    umask(before);
    errno = failed;
  }
  if (done) {
    step = "listen";
    done = listen(listener, (int)backlog) == 0;
    if (!done) unlink(path);
  }
  if (!done) {
    int failed = errno;
    close(listener);
    return shim_throw_errno(&call, step, failed);
  }
  return napi_create_int32(env, listener, &result) == napi_ok ? result : NULL;
}

napi_value shim_notify_socket(napi_env env, napi_callback_info info) {
  shim_call call;
  char path[512];
  char state[MAX_STATE_BYTES];
  struct sockaddr_un address;
  socklen_t length;
  if (!shim_begin(&call, env, info, "notifySocket") || !shim_take_string(&call, 0, "path", path, sizeof path) ||
      !shim_take_string(&call, 1, "state", state, sizeof state)) {
    return NULL;
  }
  if (!address_of(path, path[0] == '@', &address, &length)) return shim_throw_errno(&call, "sendto", ENAMETOOLONG);
  int sender = open_socket(SOCK_DGRAM);
  if (sender < 0) return shim_throw_errno(&call, "socket", errno);
  struct timeval deadline = {.tv_sec = NOTIFY_TIMEOUT_SECONDS};
  int failed = 0;
  if (setsockopt(sender, SOL_SOCKET, SO_SNDTIMEO, &deadline, sizeof deadline) != 0 ||
      sendto(sender, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&address, length) < 0) {
    failed = errno;
  }
  close(sender);
  return failed == 0 ? NULL : shim_throw_errno(&call, "sendto", failed);
}
