#!/bin/sh
# Loads the cities of the world through the running cluster: ./seed_shard.sh [--count N]
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
. "$root/scripts/node-runtime.sh"
prepare_runtime run
cd "$root"
exec_node "$root/src/cli/seed-cities.ts" "$@"
