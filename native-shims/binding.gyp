{
  "targets": [
    {
      "target_name": "touchstone_shims",
      "sources": [
        "module.c",
        "arguments.c",
        "failures.c",
        "leaf.c",
        "leaf_derive.c",
        "leaf_sign.c",
        "ecdsa_verify.c",
        "order_count.c",
        "peer.c",
        "exit_watch.c",
        "sockets.c",
        "files.c",
        "hardening.c",
        "replace_process.c",
        "cryptoki.c",
        "pcsc.c"
      ],
      "defines": ["NAPI_VERSION=8", "OPENSSL_API_COMPAT=30000", "OPENSSL_NO_DEPRECATED", "_GNU_SOURCE"],
      "cflags": [
        "-std=c11", "-Wall", "-Wextra", "-Werror", "-O2", "-fstack-protector-strong", "-fvisibility=hidden"
      ],
      "cflags!": ["-std=gnu99", "-Wno-unused-parameter"],
      "ldflags": ["-Wl,-z,relro,-z,now,-z,noexecstack"],
      "xcode_settings": {
        "GCC_C_LANGUAGE_STANDARD": "c11",
        "GCC_SYMBOLS_PRIVATE_EXTERN": "YES",
        "GCC_OPTIMIZATION_LEVEL": "2",
        "WARNING_CFLAGS": ["-Wall", "-Wextra"]
      }
    }
  ]
}
