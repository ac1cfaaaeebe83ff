# What tests of the program share; sourced by them. A folder of one's own, and commands with the exit code they shall have.
set -euo pipefail
export LC_ALL=C
export TERM=xterm # progress shows as on a terminal that rewrites lines, wherever the tests run
build=$(readlink -f "$1")
project=$(dirname "$(dirname "$(readlink -f "$0")")")
dicube=$build/bin/dicube
work=$(mktemp -d)
trap 'chmod -R u+rwx "$work"; rm -rf "$work"' EXIT
cd "$work"

fail() {
  echo "FAILED: $*" >&2
  exit 1
}
expect_exit() { # CODE COMMAND...: its output goes into the files out and err
  local want=$1 got=0
  shift
  "$@" >out 2>err || got=$?
  [[ $got == "$want" ]] || fail "exit code $got instead of $want: $* ($(head -c 2000 err))"
}
