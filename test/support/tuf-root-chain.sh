#!/usr/bin/env bash
# Verifies a chain of TUF roots with jq and openssl alone: each by a threshold of the root before it, and of its own.
#
#   tuf-root-chain.sh FOLDER      reads 1.root.json, 2.root.json and so on; keys of ECDSA P-256
set -euo pipefail

readonly FOLDER="$1"
HERE="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
SCRATCH="$(mktemp -d "${TMPDIR:-/tmp}/touchstone-roots.XXXXXX")"
trap 'rm -rf "$SCRATCH"' EXIT

fail() {
  printf '%s\n' "$*" >&2
  exit 1
}

# Prints how many different keys that root $2 names have signed root $1.
signers() {
  local document="$1" by="$2" id signature count=0
  jq -j -L "$HERE" 'include "tuf-canonical"; .signed | canonical' "$document" >"$SCRATCH/signed"
  while read -r id; do
    signature="$(jq -r --arg id "$id" 'first(.signatures[] | select(.keyid == $id) | .sig) // ""' "$document")"
    [ -n "$signature" ] || continue
    jq -j --arg id "$id" '.signed.keys[$id].keyval.public' "$by" >"$SCRATCH/key.pem"
    # shellcheck disable=SC2059 # the format is the bytes themselves
    printf "$(printf '%s' "$signature" | sed 's/../\\x&/g')" >"$SCRATCH/signature"
    if openssl dgst -sha256 -verify "$SCRATCH/key.pem" -signature "$SCRATCH/signature" "$SCRATCH/signed" >"$SCRATCH/said" 2>&1; then
      count=$((count + 1))
    fi
  done < <(jq -r '.signed.roles.root.keyids | unique[]' "$by")
  printf '%s\n' "$count"
}

require() {
  local document="$1" by="$2" needed made
  needed="$(jq '.signed.roles.root.threshold' "$by")"
  made="$(signers "$document" "$by")"
  [ "$made" -ge "$needed" ] || fail "$(basename "$document"): $made of $needed signatures by the keys of $(basename "$by")"
}

version=1
require "$FOLDER/1.root.json" "$FOLDER/1.root.json"
while [ -e "$FOLDER/$((version + 1)).root.json" ]; do
  next="$FOLDER/$((version + 1)).root.json"
  [ "$(jq '.signed.version' "$next")" -eq $((version + 1)) ] || fail "$(basename "$next") has another version"
  require "$next" "$FOLDER/$version.root.json"
  require "$next" "$next"
  version=$((version + 1))
done
printf 'root 1 to %s verified\n' "$version"
