/* execve: this process becomes another program, with the environment it is given and nothing it did not ask for. */
#include "shims.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#ifdef __linux__
#include <dirent.h>
#include <sys/syscall.h>
#ifndef SYS_close_range
#define SYS_close_range 436
#endif
#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC 4U
#endif
#endif

#define MAX_KEPT 64
#define SIGNALS 65

/*
 * Node marks what it opens, and most of what it inherited, close-on-exec; libuv gives up at the first gap after 15, so that
 * higher inherited descriptors would pass to the new program. False leaves errno.
 */
static bool mark_all(void) {
#ifdef __linux__
  if (syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC) == 0) return true;
  /* Before Linux 5.11. */
  DIR *folder = opendir("/proc/self/fd");
  if (folder == NULL) return false;
  struct dirent *entry;
  while ((entry = readdir(folder)) != NULL) {
    int descriptor = atoi(entry->d_name);
    if (descriptor > 2) fcntl(descriptor, F_SETFD, FD_CLOEXEC);
  }
  closedir(folder);
#endif
  return true;
}

static bool keep_open(int descriptor) {
  int flags = fcntl(descriptor, F_GETFD);
  return flags >= 0 && fcntl(descriptor, F_SETFD, flags & ~FD_CLOEXEC) == 0;
}

/* Ignored signals and the mask survive execve: node ignores SIGPIPE, so a program started as it is would too. */
static void reset_signals(struct sigaction before[SIGNALS], sigset_t *mask) {
  struct sigaction standard = {.sa_handler = SIG_DFL};
  sigset_t none;
  for (int number = 1; number < SIGNALS; number++) {
    if (sigaction(number, NULL, &before[number]) != 0) before[number].sa_handler = SIG_DFL;
    if (before[number].sa_handler == SIG_IGN) sigaction(number, &standard, NULL);
  }
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, mask);
}

static void restore_signals(const struct sigaction before[SIGNALS], const sigset_t *mask) {
  for (int number = 1; number < SIGNALS; number++) {
    if (before[number].sa_handler == SIG_IGN) sigaction(number, &before[number], NULL);
  }
  sigprocmask(SIG_SETMASK, mask, NULL);
}

/* The optional list of further descriptors; false after throwing. */
static bool keep_named(shim_call *call, size_t index) {
  bool is_array = false;
  uint32_t count = 0;
  napi_value value;
  if (shim_is_undefined(call, index)) return true;
  napi_is_array(call->env, call->argument[index], &is_array);
  if (!is_array || napi_get_array_length(call->env, call->argument[index], &count) != napi_ok || count > MAX_KEPT) {
    shim_throw_type(call, "keep", "an array of at most 64 descriptors");
    return false;
  }
  for (uint32_t i = 0; i < count; i++) {
    int32_t number;
    if (napi_get_element(call->env, call->argument[index], i, &value) != napi_ok ||
        napi_get_value_int32(call->env, value, &number) != napi_ok || number < 0) {
      shim_throw_type(call, "keep", "an array of at most 64 descriptors");
      return false;
    }
    if (!keep_open(number)) {
      shim_throw_errno(call, "fcntl", errno);
      return false;
    }
  }
  return true;
}

static napi_value replace(shim_call *call, const char *path, char **argv, char **environment) {
  struct sigaction before[SIGNALS];
  sigset_t mask;
  for (int descriptor = 0; descriptor <= 2; descriptor++) keep_open(descriptor);
  reset_signals(before, &mask);
  execve(path, argv, environment);
  int failed = errno;
  restore_signals(before, &mask);
  return shim_throw_errno(call, "execve", failed);
}

napi_value shim_replace_process(napi_env env, napi_callback_info info) {
  shim_call call;
  char path[PATH_MAX];
  char **argv = NULL;
  char **environment = NULL;
  if (!shim_begin(&call, env, info, "replaceProcess") || !shim_take_string(&call, 0, "path", path, sizeof path)) {
    return NULL;
  }
  if (shim_take_strings(&call, 1, "argv", &argv) && shim_take_strings(&call, 2, "environment", &environment)) {
    if (argv[0] == NULL) {
      shim_throw_type(&call, "argv", "an array that begins with the program's name");
    } else if (!mark_all()) {
      shim_throw_errno(&call, "close_range", errno);
    } else if (keep_named(&call, 3)) {
      replace(&call, path, argv, environment);
    }
  }
  shim_free_strings(argv);
  shim_free_strings(environment);
  return NULL;
}
