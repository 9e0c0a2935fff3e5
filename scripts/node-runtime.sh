# The one bootstrap of all entry scripts; sourced, never run. The caller has set `root` to the repository's directory.
#
#   prepare_runtime run    what running needs     prepare_runtime all    what building and testing need as well
#
# Afterwards KV_NODE is the path of a Node of version 24 or newer and node_modules is complete. The installation is
# done once: a stamp, written last, names the lock file that it was made from, so that an interrupted one is redone,
# and a directory as lock keeps two scripts from installing at the same time.

NODE_MAJOR_MIN=24
install_stamp="$root/node_modules/.kv-installed"
install_lock="$root/.install.lock"

fail() {
  echo "$(basename "$0"): $*" >&2
  exit 1
}

prepare_runtime() {
  needed="$1"
  is_installed "$needed" || install_once "$needed"
  find_node
}

# The stamp holds one line: "run" or "all", then the checksum of the lock file. "all" serves "run" too.
is_installed() {
  [ -f "$install_stamp" ] || return 1
  read -r stamp_kind stamp_sum < "$install_stamp" || return 1
  [ "$stamp_sum" = "$(lock_file_sum)" ] || return 1
  [ "$stamp_kind" = all ] || [ "$stamp_kind" = "$1" ]
}

lock_file_sum() {
  cksum < "$root/package-lock.json" | tr ' \t' '--'
}

install_once() {
  command -v npm > /dev/null 2>&1 || fail "npm is not on the PATH; install Node.js (any version from 20) with npm first"
  # npm empties the directory that a link leads to, and that is somebody else's.
  [ ! -L "$root/node_modules" ] || fail "node_modules is a link to elsewhere and not up to date; install there, or remove the link"
  take_install_lock
  trap 'release_install_lock' EXIT
  trap 'release_install_lock; exit 130' INT TERM HUP
  # Another script may have installed while this one waited for the lock.
  is_installed "$1" || run_npm
  trap - EXIT INT TERM HUP
  release_install_lock
}

take_install_lock() {
  waited_s=0
  while ! mkdir "$install_lock" 2> /dev/null; do
    [ -d "$root" ] && [ -w "$root" ] || fail "cannot write to $root, so the dependencies cannot be installed"
    owner=$(cat "$install_lock/pid" 2> /dev/null)
    # A lock without a living owner was left by a killed script. One without a pid is younger than its first write.
    if { [ -n "$owner" ] && ! kill -0 "$owner" 2> /dev/null; } || { [ -z "$owner" ] && [ "$waited_s" -ge 5 ]; }; then
      rm -rf "$install_lock"
      continue
    fi
    [ "$waited_s" -gt 0 ] || echo "Waiting for process ${owner:-?}, which installs the dependencies" >&2
    [ "$waited_s" -lt 600 ] || fail "process $owner has been installing for 10 minutes; end it or remove $install_lock"
    sleep 1
    waited_s=$((waited_s + 1))
  done
  echo $$ > "$install_lock/pid"
}

release_install_lock() {
  rm -rf "$install_lock"
}

run_npm() {
  echo "Installing the dependencies (once; this takes a few seconds)" >&2
  npm_log="$install_lock/npm.log"
  # Whoever has the development part keeps it: a mere run after the lock file changed must not take the compiler away.
  if [ -f "$install_stamp" ] && read -r stamp_kind stamp_sum < "$install_stamp" && [ "$stamp_kind" = all ]; then
    needed=all
  fi
  # No install scripts: everything native comes prebuilt as an optional dependency. A complete installation of another
  # lock file, or without the development part, is brought up to date in place, which keeps what a running cluster has
  # loaded; anything else starts from nothing.
  if [ -f "$install_stamp" ]; then
    set -- install --no-save
  else
    set -- ci
  fi
  [ "$needed" = all ] && set -- "$@" --include=dev || set -- "$@" --omit=dev
  set -- "$@" --include=optional --ignore-scripts --no-audit --no-fund --loglevel=error
  rm -f "$install_stamp"
  if ! (cd "$root" && NODE_ENV='' npm "$@" > "$npm_log" 2>&1); then
    tail -n 20 "$npm_log" >&2
    fail "npm $1 failed (see above); nothing was started"
  fi
  echo "$needed $(lock_file_sum)" > "$install_stamp.new" && mv "$install_stamp.new" "$install_stamp"
}

# Prefers a new enough Node of the system, else takes the pinned one that npm installed for this platform.
find_node() {
  for candidate in "$(command -v node 2> /dev/null)" "$root"/node_modules/node-linux-*/bin/node; do
    [ -x "$candidate" ] || continue
    major=$("$candidate" -p 'process.versions.node.split(".")[0]' 2> /dev/null) || continue
    if [ "${major:-0}" -ge "$NODE_MAJOR_MIN" ] 2> /dev/null; then
      KV_NODE="$candidate"
      return 0
    fi
  done
  fail "Node.js $NODE_MAJOR_MIN or newer is needed and the dependencies carry none for $(uname -s) $(uname -m);" \
    "install it from https://nodejs.org (macOS: brew install node@$NODE_MAJOR_MIN) and put it on the PATH"
}

# Replaces the shell by Node, so that signals reach the program directly.
exec_node() {
  # Compiled code is kept between runs: a node starts in a third of the time, and a cluster is eight of them.
  NODE_COMPILE_CACHE="${NODE_COMPILE_CACHE:-$root/node_modules/.cache/compiled}"
  export NODE_COMPILE_CACHE
  # Large values are given back to the system when they are freed. Left to itself, glibc raises the threshold with the first
  # one, keeps the next ones in its heap, and a node stays at 700 MB after forty values of 16 MiB instead of 200 MB.
  MALLOC_MMAP_THRESHOLD_="${MALLOC_MMAP_THRESHOLD_:-1048576}"
  MALLOC_TRIM_THRESHOLD_="${MALLOC_TRIM_THRESHOLD_:-8388608}"
  export MALLOC_MMAP_THRESHOLD_ MALLOC_TRIM_THRESHOLD_
  # Early Node 24 warns that stripping types is experimental.
  exec "$KV_NODE" --disable-warning=ExperimentalWarning "$@"
}
