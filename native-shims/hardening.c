/* What a process that handles keys gives up: core dumps, ptrace by its own user, new privileges, its parent's death. */
#include "shims.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#ifdef __linux__
#include <sys/prctl.h>
#endif

napi_value shim_harden_process(napi_env env, napi_callback_info info) {
  shim_call call;
  const struct rlimit none = {0, 0};
  if (!shim_begin(&call, env, info, "hardenProcess")) return NULL;
  umask(077);
  if (setrlimit(RLIMIT_CORE, &none) != 0) return shim_throw_errno(&call, "setrlimit", errno);
#ifdef __linux__
  if (prctl(PR_SET_DUMPABLE, 0L, 0L, 0L, 0L) != 0) return shim_throw_errno(&call, "prctl dumpable", errno);
  if (prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L) != 0) return shim_throw_errno(&call, "prctl no-new-privs", errno);
  return NULL;
#else
  return shim_throw_missing(&call);
#endif
}

napi_value shim_die_with_parent(napi_env env, napi_callback_info info) {
  shim_call call;
  int64_t parent;
  if (!shim_begin(&call, env, info, "dieWithParent") ||
      !shim_take_integer(&call, 0, "expectedParent", 1, INT32_MAX, &parent)) {
    return NULL;
  }
#ifdef __linux__
  if (prctl(PR_SET_PDEATHSIG, (long)SIGKILL, 0L, 0L, 0L) != 0) return shim_throw_errno(&call, "prctl", errno);
  /* It may have died before the request: then nobody will ever send the signal. */
  if (getppid() != (pid_t)parent) _exit(1);
  return NULL;
#else
  return shim_throw_missing(&call);
#endif
}

napi_value shim_hardening_facts(napi_env env, napi_callback_info info) {
  shim_call call;
  struct rlimit core;
  if (!shim_begin(&call, env, info, "hardeningFacts")) return NULL;
  if (getrlimit(RLIMIT_CORE, &core) != 0) return shim_throw_errno(&call, "getrlimit", errno);
#ifdef __linux__
  const shim_number_field fields[] = {
      {"dumpable", prctl(PR_GET_DUMPABLE, 0L, 0L, 0L, 0L)},
      {"coreLimit", core.rlim_cur == RLIM_INFINITY ? -1 : (double)core.rlim_cur},
      {"noNewPrivs", prctl(PR_GET_NO_NEW_PRIVS, 0L, 0L, 0L, 0L)},
  };
  return shim_number_object(&call, fields, 3);
#else
  return shim_throw_missing(&call);
#endif
}
