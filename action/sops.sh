#!/usr/bin/env bash
# sops.sh FOLDER: download the release of sops that SOPS_VERSION names; keep it only with the hash SOPS_SHA256.
set -euo pipefail

fail() { echo "::error title=reconcile action::$1" && exit 3; }

[[ $SOPS_VERSION =~ ^[0-9]+\.[0-9]+\.[0-9]+$ ]] || fail "sops-version takes a version such as 3.11.0"
[[ $SOPS_SHA256 =~ ^[0-9a-f]{64}$ ]] || fail "sops-version goes with sops-sha256, 64 hex digits in lower case"
case "$(uname -s)/$(uname -m)" in
Linux/x86_64) platform=linux.amd64 ;;
Linux/aarch64) platform=linux.arm64 ;;
Darwin/arm64) platform=darwin.arm64 ;;
Darwin/x86_64) platform=darwin.amd64 ;;
*) fail "there is no sops for this runner; put one on PATH and leave sops-version empty" ;;
esac

mkdir -p "$1"
url=https://github.com/getsops/sops/releases/download/v$SOPS_VERSION/sops-v$SOPS_VERSION.$platform
curl --proto '=https' --tlsv1.2 --fail --silent --show-error --location --retry 3 --max-time 120 \
  --output "$1/sops.new" -- "$url"
# Python rather than sha256sum, which macOS lacks.
found=$(python3 -I -c 'import hashlib, sys; print(hashlib.sha256(open(sys.argv[1], "rb").read()).hexdigest())' "$1/sops.new")
if [[ $found != "$SOPS_SHA256" ]]; then
  rm -f -- "$1/sops.new"
  fail "the downloaded sops is not the one that sops-sha256 names; it was removed"
fi
chmod 700 "$1/sops.new"
mv -f -- "$1/sops.new" "$1/sops"
