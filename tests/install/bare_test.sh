#!/usr/bin/env bash
# bare_test.sh BARE: tests/install/bare on a small checkout, in a root that holds a shell and a few programs of this machine.
# Exit status 77, skipped, where it cannot run.
set -uo pipefail
work=$(mktemp -d)
failures=0
export KITH_BARE_CACHE=$work/cache

complain() {
  echo "bare: $*"
  failures=$((failures + 1))
}
bare() { # STATUS COMMAND: ends with that; what it printed is then in $work/printed
  "$work/checkout/tests/install/bare" bookworm "$2" >"$work/printed" 2>&1
  local got=$?
  [ $got = "$1" ] || complain "$2: exit status $got, not $1: $(cat "$work/printed")"
}
prints() { grep -qxF -e "$1" "$work/printed" || complain "not printed: $1: $(cat "$work/printed")"; }
lines() { [ "$(wc -l <"$work/printed")" = "$1" ] || complain "not $1 line(s): $(cat "$work/printed")"; }
roots() { find "$KITH_BARE_CACHE" -maxdepth 1 -name 'root.*' | wc -l; }
soon() { # COMMAND: true within a minute
  for _ in $(seq 600); do
    if eval "$1"; then return 0; fi
    sleep 0.1
  done
  complain "never so: $1"
}

# begin: a command that runs on in a root; $pid is bare's.
begin() {
  "$work/checkout/tests/install/bare" bookworm "touch /started; sleep $forever" >"$work/printed" 2>&1 &
  pid=$!
  soon 'ls "$KITH_BARE_CACHE"/root.*/started >/dev/null 2>&1'
}
forever=98765.$$  # tells this sleep from others
running() { pgrep -f "^sleep $forever" >/dev/null; }

trap 'rm -rf --one-file-system "$work"' EXIT
if ! command -v git >/dev/null || ! command -v pgrep >/dev/null; then
  echo "bare: no git or no pgrep to test it with"
  exit 77
fi
mkdir -p "$work/checkout/tests/install" "$work/root/bin" "$KITH_BARE_CACHE"
chmod 755 "$work"
cp "$1" "$work/checkout/tests/install/bare"
git -C "$work/checkout" init --quiet
git -C "$work/checkout" add .
git -C "$work/checkout" -c user.name=test -c user.email=test commit --quiet --message test
touch "$work/checkout/stray"
for program in bash env sleep touch; do
  cp -L "$(command -v $program)" "$work/root/bin/"
  for object in $(ldd "$work/root/bin/$program" | grep -o '/[^ ]*'); do
    mkdir -p "$work/root$(dirname "$object")"
    cp -L "$object" "$work/root$object"
  done
done
tar -cf "$KITH_BARE_CACHE/bookworm.tar" -C "$work/root" .

# Where it cannot run it says why, in one line.
if [ "$(id -u)" = 0 ]; then
  setpriv --reuid 65534 --clear-groups "$work/checkout/tests/install/bare" bookworm true >"$work/printed" 2>&1
  [ $? = 77 ] || complain "not root: $(cat "$work/printed")"
  prints 'bare: NOT RUN: not root'
  lines 1
fi
"$work/checkout/tests/install/bare" nothing true >"$work/printed" 2>&1
[ $? = 2 ] || complain "unknown suite: $(cat "$work/printed")"
"$work/checkout/tests/install/bare" bookworm true >"$work/printed" 2>&1
if [ $? = 77 ]; then
  lines 1
  cat "$work/printed"
  exit $((failures > 0 ? 1 : 77))
fi

# What COMMAND finds, and its exit status.
export KITH_STRAY=1 no_proxy=localhost
bare 3 '[ -x tests/install/bare ] && [ ! -e stray ] && [ -w /root ] && echo "in $PWD, $no_proxy, ${KITH_STRAY:-none}"; exit 3'
prints 'in /kith, localhost, none'
prints 'bare: what is not committed is left out'
bare 1 'exit 77'
[ "$(roots)" = 0 ] || complain "a root is left"

# However it ends, nothing stays: by a signal at once, killed outright by the next call.
begin
kill -TERM $pid
wait $pid
[ $? = 143 ] || complain "ended by SIGTERM with another status"
! running || complain "SIGTERM leaves the command running"
[ "$(roots)" = 0 ] || complain "SIGTERM leaves a root"

begin
kill -KILL $pid
wait $pid 2>/dev/null
soon '! running'
[ "$(roots)" = 1 ] || complain "killed outright, and the root is gone already"
bare 0 true
[ "$(roots)" = 0 ] || complain "a root of a killed one is left"
! grep -F "$work" /proc/self/mountinfo || complain "mounts are left"

[ "$failures" = 0 ]
