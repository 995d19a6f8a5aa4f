#!/usr/bin/env bash
# Brings a machine that has only Node and npm to the point where one program of the project can run, then runs it.
#
#   bootstrap.sh quickstart [trust|ceremony]|test|bench|build [arguments of the program]
#
# Each step looks first and acts only if something is missing: with everything present nothing is changed and no
# network is used. Debian packages are printed before they are installed; apt runs as root, with sudo after a typed
# yes, or without questions when CI=true. Exit status 2: something is missing that this script may not install.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.."

if [ "${1:-}" = quickstart ] && [[ "${2:-}" =~ ^(trust|ceremony)$ ]]; then
  set -- "quickstart-$2" "${@:3}"
fi
readonly MODE="${1:-}"
readonly MIN_NODE='20.19.0'
readonly LOCK_STAMP='node_modules/.touchstone-lock'
readonly SHIM='native-shims/build/Release/touchstone_shims.node'
readonly SHIM_STAMP='native-shims/build/.touchstone-sources'

say() { printf '%s\n' "$*"; }
complain() { printf 'bootstrap: %s\n' "$*" >&2; }

LOG="$(mktemp "${TMPDIR:-/tmp}/touchstone-bootstrap.XXXXXX")"
trap 'rm -f "$LOG"' EXIT

# Runs a command quietly: one line with its time, and all it said if it fails. In functions that run this way
# commands are chained with &&: bash ignores `set -e` there.
attempt() {
  local name="$1" begin="$EPOCHREALTIME" status=0
  shift
  "$@" >"$LOG" 2>&1 </dev/null || status=$?
  local micros=$((${EPOCHREALTIME/[.,]/} - ${begin/[.,]/}))
  printf '  %-4s %-34s %5d.%01d s\n' "$([ "$status" -eq 0 ] && echo ok || echo FAIL)" "$name" \
    $((micros / 1000000)) $((micros % 1000000 / 100000))
  [ "$status" -eq 0 ] || cat "$LOG" >&2
  return "$status"
}

# An attempt that nothing can go on without.
step() { attempt "$@" || exit 1; }

# --- Node ---------------------------------------------------------------------------------------------------------

check_node() {
  local found
  found="$(node --version 2>/dev/null || true)"
  found="${found#v}"
  if [ -z "$found" ] || [ "$(printf '%s\n' "$MIN_NODE" "$found" | sort -V | head -n 1)" != "$MIN_NODE" ]; then
    complain "Node $MIN_NODE or newer is needed, found: ${found:-none}"
    exit 2
  fi
}

# Node's own headers, where the installation brought them: then compiling needs no download.
use_local_headers() {
  local prefix
  prefix="$(dirname "$(dirname "$(node -p process.execPath)")")"
  if [ -f "$prefix/include/node/node_api.h" ]; then
    export npm_config_nodedir="$prefix"
  fi
}

# --- Debian packages ----------------------------------------------------------------------------------------------

has_program() { command -v "$1" >/dev/null 2>&1; }

has_softhsm() {
  local folder
  for folder in /usr/lib /usr/lib64 /usr/local/lib /opt/homebrew/lib /usr/lib/*-linux-gnu; do
    if [ -e "$folder/softhsm/libsofthsm2.so" ] || [ -e "$folder/pkcs11/libsofthsm2.so" ] ||
      [ -e "$folder/libsofthsm2.so" ]; then
      return 0
    fi
  done
  return 1
}

has_openssl_engine() {
  local folder
  for folder in /usr/lib/*-linux-gnu/engines-3 /usr/lib64/engines-3 /usr/lib/engines-3; do
    if [ -e "$folder/pkcs11.so" ]; then
      return 0
    fi
  done
  return 1
}

# Debian keeps the server's programs off the path.
has_postgres() {
  local file
  for file in /usr/lib/postgresql/*/bin/initdb; do
    if [ -x "$file" ]; then
      return 0
    fi
  done
  has_program initdb
}

has_ykcs11() {
  local folder
  for folder in /usr/lib/*-linux-gnu /usr/lib64 /usr/lib /usr/local/lib; do
    if [ -e "$folder/libykcs11.so" ]; then
      return 0
    fi
  done
  return 1
}

has_libsecret() {
  local file
  for file in /usr/lib/*-linux-gnu/libsecret-1.so.0 /usr/lib64/libsecret-1.so.0 /usr/lib/libsecret-1.so.0; do
    if [ -e "$file" ]; then
      return 0
    fi
  done
  return 1
}

# Debian's own Python, for which the bindings are packaged.
has_umockdev_bindings() {
  /usr/bin/python3 -c 'import gi; gi.require_version("UMockdev", "1.0")' 2>/dev/null
}

# A second opinion on TUF metadata; what it verifies ECDSA and RSA with is only recommended by its package.
has_securesystemslib() {
  /usr/bin/python3 -c 'import cryptography, securesystemslib.signer' 2>/dev/null
}

# Prints the Debian packages that the mode needs and this machine lacks.
missing_packages() {
  local pair needs=('cc gcc' 'g++ g++' 'make make' 'python3 python3')
  case "$MODE" in
    quickstart) needs+=('openssl openssl' 'ssh-keygen openssh-client') ;;
    quickstart-trust)
      needs+=('openssl openssl' 'notary notary' 'docker-registry docker-registry' '/usr/sbin/dockerd docker.io'
        '/usr/bin/docker docker.io' 'skopeo skopeo' 'unshare util-linux' 'setpriv util-linux')
      ;;
    quickstart-ceremony) needs+=('openssl openssl' 'jq jq' 'softhsm2-util softhsm2') ;;
    bench)
      needs+=('openssl openssl' 'ssh-keygen openssh-client' 'softhsm2-util softhsm2' 'pkcs11-tool opensc' 'p11-kit p11-kit')
      ;;
    test)
      needs+=('openssl openssl' 'ssh-keygen openssh-client' 'pkcs11-tool opensc' 'p11-kit p11-kit' 'p11tool gnutls-bin'
        'certutil libnss3-tools' 'git git' 'jq jq' '/usr/sbin/sshd openssh-server'
        '/usr/sbin/pcscd pcscd' 'yubico-piv-tool yubico-piv-tool'
        'pinentry-tty pinentry-tty' 'pinentry-curses pinentry-curses'
        'pinentry-gtk-2 pinentry-gtk2' 'pinentry-gnome3 pinentry-gnome3' '/usr/libexec/gcr-prompter gcr'
        'Xvfb xvfb' 'xdotool xdotool'
        'dbus-run-session dbus' 'gnome-keyring-daemon gnome-keyring' 'gdbus libglib2.0-bin'
        'docker-registry docker-registry' 'notary notary' 'skopeo skopeo' '/usr/sbin/dockerd docker.io'
        'keytool openjdk-17-jre-headless' 'jarsigner openjdk-17-jdk-headless'
        'unshare util-linux' 'setpriv util-linux' 'script bsdutils' 'strace strace' 'softhsm2-util softhsm2')
      ;;
  esac
  for pair in "${needs[@]}"; do
    has_program "${pair%% *}" || say "${pair##* }"
  done
  [ "$MODE" = build ] || has_softhsm || say softhsm2
  [ "$MODE" != test ] || has_openssl_engine || say libengine-pkcs11-openssl
  [ "$MODE" != test ] || has_ykcs11 || say ykcs11
  [ "$MODE" != test ] || has_libsecret || say libsecret-1-0
  [ "$MODE" != test ] || [ -e /usr/include/PCSC/ifdhandler.h ] || say libpcsclite-dev
  [ "$MODE" != test ] || has_postgres || say postgresql
  [[ ! "$MODE" =~ ^(test|quickstart-ceremony)$ ]] || has_securesystemslib || printf '%s\n' python3-securesystemslib python3-cryptography
  [ "$MODE" != test ] || has_umockdev_bindings || printf '%s\n' python3-gi gir1.2-umockdev-1.0 umockdev
}

apt_install() {
  local apt=(env DEBIAN_FRONTEND=noninteractive apt-get -q -o Acquire::Retries=3 -o Acquire::http::Timeout=30
    -o DPkg::Lock::Timeout=300)
  step 'apt-get update' timeout 300 "${SUDO[@]}" "${apt[@]}" update
  step 'apt-get install' timeout 900 "${SUDO[@]}" "${apt[@]}" install -y --no-install-recommends "$@"
}

refuse_install() {
  complain "$1"
  complain "install these first, then run the command again (Debian names): $2"
  exit 2
}

# May we install? Sets SUDO to the words in front of apt-get.
obtain_root() {
  local answer=''
  SUDO=()
  if [ "$(id -u)" -eq 0 ]; then
    return
  fi
  has_program sudo || refuse_install 'not root, and there is no sudo' "$1"
  if [ "${CI:-}" = true ]; then
    SUDO=(sudo -n)
    return
  fi
  [ -t 0 ] || refuse_install 'not root, and nobody to ask' "$1"
  read -r -p 'Install them with sudo apt-get? Type yes: ' answer
  [ "$answer" = yes ] || refuse_install 'nothing was installed' "$1"
  SUDO=(sudo)
  sudo -v || refuse_install 'sudo did not agree' "$1"
}

ensure_packages() {
  local packages still
  packages="$(missing_packages | sort -u | paste -sd ' ' -)"
  if [ -z "$packages" ]; then
    return
  fi
  say "missing Debian packages: $packages"
  has_program apt-get || refuse_install 'this machine has no apt-get' "$packages"
  obtain_root "$packages"
  # shellcheck disable=SC2086 # a list of package names, one word each
  apt_install $packages
  still="$(missing_packages | sort -u | paste -sd ' ' -)"
  [ -z "$still" ] || refuse_install 'still missing after apt-get install' "$still"
}

# --- npm, native shim, TypeScript ---------------------------------------------------------------------------------

lock_hash() { node -e 'const f=require("fs"),h=require("crypto").createHash("sha256");for(const p of process.argv.slice(1))h.update(p).update("\0").update(f.readFileSync(p));console.log(h.digest("hex"))' "$@"; }

npm_install() {
  npm ci --no-audit --no-fund --fetch-retries=5 --fetch-timeout=60000 &&
    lock_hash package-lock.json package.json >"$LOCK_STAMP"
}

ensure_node_modules() {
  local now=''
  if [ -f "$LOCK_STAMP" ]; then
    now="$(lock_hash package-lock.json package.json)"
    [ "$now" != "$(cat "$LOCK_STAMP")" ] || return 0
  elif [ -f node_modules/.package-lock.json ] && [ ! package-lock.json -nt node_modules/.package-lock.json ]; then
    return 0
  fi
  step 'npm ci' npm_install
}

build_shim() {
  npm run --silent build:native &&
    [ -f "$SHIM" ] &&
    printf '%s\n' "$1" >"$SHIM_STAMP"
}

ensure_shim() {
  local sources
  sources="$(lock_hash native-shims/*.c native-shims/*.h native-shims/binding.gyp)"
  if [ -f "$SHIM" ] && [ -f "$SHIM_STAMP" ] && [ "$(cat "$SHIM_STAMP")" = "$sources" ]; then
    return
  fi
  step 'native shim' build_shim "$sources"
}

tool() { node "node_modules/$1" "${@:2}"; }

build_typescript() { tool typescript/bin/tsc -b tsconfig.json test/tsconfig.programs.json; }

# --- modes --------------------------------------------------------------------------------------------------------

# A failing check does not hide what the tests say; the closing line of the run counts it as a failure.
run_checks() {
  local failed=0
  attempt 'types of the tests' tool typescript/bin/tsc -p test/tsconfig.json || failed=$((failed + 1))
  attempt 'eslint' tool eslint/bin/eslint.js --max-warnings=0 . || failed=$((failed + 1))
  attempt 'prettier' tool prettier/bin/prettier.cjs --check . || failed=$((failed + 1))
  attempt 'knip' tool knip/bin/knip.js || failed=$((failed + 1))
  export TOUCHSTONE_FAILED_CHECKS="$failed"
}

# The trap does not run when the shell is replaced.
become() {
  rm -f "$LOG"
  exec node "$@"
}

main() {
  case "$MODE" in
    quickstart | quickstart-trust | quickstart-ceremony | test | bench | build) ;;
    *)
      complain 'usage: bootstrap.sh quickstart [trust|ceremony]|test|bench|build [arguments]'
      exit 2
      ;;
  esac
  shift
  check_node
  use_local_headers
  ensure_packages
  ensure_node_modules
  ensure_shim
  step 'TypeScript' build_typescript
  case "$MODE" in
    quickstart) become test/build/scripts/quickstart.js "$@" ;;
    quickstart-trust) become test/build/scripts/quickstart-trust.js "$@" ;;
    quickstart-ceremony) become test/build/scripts/quickstart-ceremony.js "$@" ;;
    bench) become test/build/bench/main.js "$@" ;;
    build) return ;;
  esac
  # With arguments only the named tests run: that is somebody at work, not the gate.
  [ "$#" -gt 0 ] || run_checks
  become node_modules/vitest/vitest.mjs run "$@"
}

main "$@"
