#!/bin/sh
# Installs what the tests need and runs all checks and tests; the last line is "N passed, N failed".
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
. "$root/scripts/node-runtime.sh"
prepare_runtime all
cd "$root"

# The etcd that benchmarks and coordinator tests compare with or talk to; they say so themselves when it is missing.
if ! command -v etcd > /dev/null 2>&1; then
  if command -v apt-get > /dev/null 2>&1 && [ "$(id -u)" -eq 0 ]; then
    echo "Installing etcd-server"
    DEBIAN_FRONTEND=noninteractive apt-get install -y -q etcd-server > /dev/null 2>&1 \
      || echo "etcd could not be installed: tests that need it are skipped"
  else
    echo "etcd is missing (Debian: apt-get install etcd-server): tests that need it are skipped"
  fi
fi

exec_node "$root/scripts/test.ts" "$@"
