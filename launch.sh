#!/bin/sh
# Starts the whole cluster of sharding.toml on this machine; Ctrl-C stops it. Options are those of `./kv up`
# (--fresh wipes the data first).
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
. "$root/scripts/node-runtime.sh"
prepare_runtime run
cd "$root"
exec_node "$root/src/cli/kv.ts" up "$@"
