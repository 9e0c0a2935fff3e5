#!/bin/sh
# Installs what the tests need and runs all checks and tests; the last line is "N passed, N failed".
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
. "$root/scripts/node-runtime.sh"
prepare_runtime all
cd "$root"

install_package() {
  DEBIAN_FRONTEND=noninteractive apt-get install -y -q "$1" > /dev/null 2>&1
}

# What the tests talk to or inject faults with. Tests that miss one say so and are skipped.
for tool in etcd:etcd-server strace:strace ip:iproute2 nft:nftables; do
  command="${tool%%:*}"
  package="${tool#*:}"
  command -v "$command" > /dev/null 2>&1 && continue
  if command -v apt-get > /dev/null 2>&1 && [ "$(id -u)" -eq 0 ]; then
    echo "Installing $package"
    install_package "$package" || { apt-get update -q > /dev/null 2>&1; install_package "$package"; } \
      || echo "$package could not be installed: tests that need $command are skipped"
  else
    echo "$command is missing (Debian: apt-get install $package): tests that need it are skipped"
  fi
done

exec_node "$root/scripts/test.ts" "$@"
