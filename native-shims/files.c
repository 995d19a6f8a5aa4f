/* Facts of a folder and locks on a file, without the races of doing it by path. */
#include "shims.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef O_PATH
#define O_PATH 0
#endif

napi_value shim_directory_facts(napi_env env, napi_callback_info info) {
  shim_call call;
  char path[PATH_MAX];
  struct stat facts;
  if (!shim_begin(&call, env, info, "directoryFacts") ||
      !shim_take_string(&call, 0, "path", path, sizeof path)) {
    return NULL;
  }
  /* O_PATH: the facts of a folder that its owner may not read are facts too. */
  int directory = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (directory < 0) return shim_throw_errno(&call, "open", errno);
  int failed = fstat(directory, &facts) == 0 ? 0 : errno;
  close(directory);
  if (failed != 0) return shim_throw_errno(&call, "fstat", failed);
  const shim_number_field fields[] = {{"uid", facts.st_uid}, {"mode", facts.st_mode & 07777}};
  return shim_number_object(&call, fields, 2);
}

napi_value shim_try_lock_file(napi_env env, napi_callback_info info) {
  shim_call call;
  int descriptor;
  napi_value result;
  if (!shim_begin(&call, env, info, "tryLockFile") || !shim_take_descriptor(&call, 0, "fd", &descriptor)) return NULL;
#ifdef F_OFD_SETLK
  struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 0};
  bool locked = fcntl(descriptor, F_OFD_SETLK, &whole) == 0;
  if (!locked && errno != EAGAIN && errno != EACCES) return shim_throw_errno(&call, "fcntl", errno);
  return napi_get_boolean(env, locked, &result) == napi_ok ? result : NULL;
#else
  (void)result;
  return shim_throw_missing(&call);
#endif
}
