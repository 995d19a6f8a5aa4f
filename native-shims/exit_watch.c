/*
 * Calls back once when a process has exited, by a pidfd on node's own event loop. The handle never keeps node alive.
 * A watch is freed when both its libuv handle is closed and its JavaScript `close` function is gone.
 */
#include "shims.h"

#include <errno.h>
#include <uv.h>

#ifdef __linux__

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

typedef struct {
  napi_env env;
  napi_ref on_exit;
  napi_async_context context;
  napi_async_cleanup_hook_handle cleanup;
  uv_poll_t poll;
  int pidfd;
  int owners;
  bool closing;
} exit_watch;

static void release(exit_watch *watch) {
  if (--watch->owners == 0) free(watch);
}

static void on_closed(uv_handle_t *handle) {
  exit_watch *watch = handle->data;
  close(watch->pidfd);
  napi_remove_async_cleanup_hook(watch->cleanup);
  release(watch);
}

static void stop(exit_watch *watch) {
  if (watch->closing) return;
  watch->closing = true;
  if (watch->on_exit != NULL) napi_delete_reference(watch->env, watch->on_exit);
  if (watch->context != NULL) napi_async_destroy(watch->env, watch->context);
  uv_close((uv_handle_t *)&watch->poll, on_closed);
}

static void on_environment_end(napi_async_cleanup_hook_handle handle, void *data) {
  (void)handle;
  stop(data);
}

static void on_readable(uv_poll_t *poll, int status, int events) {
  exit_watch *watch = poll->data;
  napi_handle_scope scope;
  napi_value function, receiver, result;
  (void)status;
  (void)events;
  if (napi_open_handle_scope(watch->env, &scope) != napi_ok) return;
  if (napi_get_reference_value(watch->env, watch->on_exit, &function) == napi_ok &&
      napi_get_global(watch->env, &receiver) == napi_ok) {
    uv_poll_stop(poll);
    if (napi_make_callback(watch->env, watch->context, receiver, function, 0, NULL, &result) == napi_pending_exception) {
      napi_value thrown;
      if (napi_get_and_clear_last_exception(watch->env, &thrown) == napi_ok) napi_fatal_exception(watch->env, thrown);
    }
  }
  stop(watch);
  napi_close_handle_scope(watch->env, scope);
}

static napi_value close_watch(napi_env env, napi_callback_info info) {
  void *watch = NULL;
  if (napi_get_cb_info(env, info, NULL, NULL, NULL, &watch) == napi_ok && watch != NULL) stop(watch);
  return NULL;
}

static void on_close_function_gone(napi_env env, void *data, void *hint) {
  (void)env;
  (void)hint;
  release(data);
}

/* Field 22 of /proc/PID/stat (proc(5)): start in clock ticks after boot; 0 when the process is gone. */
static unsigned long long started_at(int pid) {
  char path[48];
  char line[1024];
  unsigned long long start = 0;
  snprintf(path, sizeof path, "/proc/%d/stat", pid);
  FILE *file = fopen(path, "re");
  if (file == NULL) return 0;
  size_t length = fread(line, 1, sizeof line - 1, file);
  fclose(file);
  line[length] = '\0';
  /* The name in field 2 may hold anything, also parentheses: fields count from its last one. */
  char *at = strrchr(line, ')');
  for (int field = 2; at != NULL && field < 22; field++) {
    at = strchr(at + 1, ' ');
  }
  if (at != NULL) start = strtoull(at + 1, NULL, 10);
  return start;
}

/* A pidfd of the process that opened the connection, or -1 with errno. */
static int open_peer(int descriptor, int pid) {
  int pidfd = -1;
  socklen_t length = sizeof pidfd;
  if (getsockopt(descriptor, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &length) == 0) return pidfd;
  if (errno == EINVAL) errno = ESRCH; /* Linux 6.5 to 6.15 say so of a process that has been reaped */
  if (errno != ENOPROTOOPT) return -1;
  unsigned long long before = started_at(pid);
  pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
  if (pidfd < 0) return -1;
  if (before != 0 && before == started_at(pid)) return pidfd;
  close(pidfd);
  errno = ESRCH;
  return -1;
}

static bool has_exited(int pidfd) {
  struct pollfd one = {.fd = pidfd, .events = POLLIN};
  return poll(&one, 1, 0) == 1;
}

/* The peer's pid must still be the one that the caller was told. */
static int check_peer(int descriptor, int pid) {
  struct ucred peer;
  socklen_t length = sizeof peer;
  if (getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0) return errno;
  return peer.pid == pid ? 0 : ESRCH;
}

static napi_value watch_object(shim_call *call, exit_watch *watch) {
  napi_value result, function;
  if (napi_create_function(call->env, "close", NAPI_AUTO_LENGTH, close_watch, watch, &function) != napi_ok ||
      napi_add_finalizer(call->env, function, watch, on_close_function_gone, NULL, NULL) != napi_ok) {
    return NULL;
  }
  watch->owners++;
  if (napi_create_object(call->env, &result) != napi_ok ||
      napi_set_named_property(call->env, result, "close", function) != napi_ok) {
    return NULL;
  }
  return result;
}

/* Takes over `pidfd`. */
static napi_value start_watch(shim_call *call, int pidfd, napi_value on_exit) {
  uv_loop_t *loop;
  napi_value name;
  exit_watch *watch = calloc(1, sizeof *watch);
  if (watch == NULL || napi_get_uv_event_loop(call->env, &loop) != napi_ok ||
      uv_poll_init(loop, &watch->poll, pidfd) != 0) {
    free(watch);
    close(pidfd);
    return shim_throw_code(call, "EIO", "the pidfd cannot be polled");
  }
  watch->env = call->env;
  watch->pidfd = pidfd;
  watch->owners = 1;
  watch->poll.data = watch;
  uv_unref((uv_handle_t *)&watch->poll);
  napi_add_async_cleanup_hook(call->env, on_environment_end, watch, &watch->cleanup);
  napi_value result = watch_object(call, watch);
  if (result != NULL && napi_create_reference(call->env, on_exit, 1, &watch->on_exit) == napi_ok &&
      napi_create_string_utf8(call->env, "touchstone:exit", NAPI_AUTO_LENGTH, &name) == napi_ok &&
      napi_async_init(call->env, NULL, name, &watch->context) == napi_ok &&
      uv_poll_start(&watch->poll, UV_READABLE, on_readable) == 0) {
    return result;
  }
  stop(watch);
  return shim_throw_code(call, "EIO", "the watch could not be made");
}

napi_value shim_watch_process_exit(napi_env env, napi_callback_info info) {
  shim_call call;
  int descriptor;
  int64_t pid;
  napi_valuetype type;
  if (!shim_begin(&call, env, info, "watchProcessExit") || !shim_take_descriptor(&call, 0, "fd", &descriptor) ||
      !shim_take_integer(&call, 1, "pid", 1, INT32_MAX, &pid)) {
    return NULL;
  }
  if (napi_typeof(env, call.argument[2], &type) != napi_ok || type != napi_function) {
    return shim_throw_type(&call, "onExit", "a function");
  }
  int failed = check_peer(descriptor, (int)pid);
  if (failed != 0) return shim_throw_errno(&call, "getsockopt", failed);
  int pidfd = open_peer(descriptor, (int)pid);
  if (pidfd < 0) return shim_throw_errno(&call, "pidfd", errno);
  if (has_exited(pidfd)) {
    close(pidfd);
    return shim_throw_errno(&call, "pidfd", ESRCH);
  }
  return start_watch(&call, pidfd, call.argument[2]);
}

#else

napi_value shim_watch_process_exit(napi_env env, napi_callback_info info) {
  shim_call call;
  if (!shim_begin(&call, env, info, "watchProcessExit")) return NULL;
  return shim_throw_missing(&call);
}

#endif
