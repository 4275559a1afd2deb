#!/bin/sh
# campaign.sh BENCH CMAKE: bench/gpu.sh on a tree of programs that pass, fail, hang or report as GoogleTest does.
set -u
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tree=$work/tree out=$work/out cmake=$2 failures=0
mkdir -p "$tree/bin" "$tree/tests" "$tree/bench/rivals" "$work/path"
cp "$1"/gpu*.sh "$tree/bench/"
export PATH="$work/path:$PATH" KITH_CUDA_LIBRARIES=/nowhere

program() { # FILE: from stdin
  { echo '#!/bin/sh'; cat; } >"$1"
  chmod +x "$1"
}
campaign() { # STATUS ARGUMENTS...: gpu.sh with them exits like that
  want=$1
  shift
  sh "$tree/bench/gpu.sh" --out "$out" "$@" >"$work/printed" 2>&1
  got=$?
  [ $got = "$want" ] || complain "gpu.sh $*: exit status $got, not $want: $(cat "$work/printed")"
}
complain() {
  echo "campaign: $*"
  failures=$((failures + 1))
}
holds() { # FILE TEXT...: each a line or a part of one
  file=$1
  shift
  for text in "$@"; do grep -qF -e "$text" "$out/$file" || complain "$file lacks: $text: $(cat "$out/$file")"; done
}
lacks() { ! grep -qF -e "$2" "$out/$1" || complain "$1 has: $2"; }
valid() { # PHASE: its JSON has that many items
  echo "file(READ $out/$1.json t)
string(JSON n LENGTH \"\${t}\" items)
if(NOT n EQUAL $2)
  message(FATAL_ERROR \"\${n} items\")
endif()" >"$work/check.cmake"
  "$cmake" -P "$work/check.cmake" || complain "$1.json: $(cat "$out/$1.json")"
}

program "$tree/bin/kith" <<'END'
case "$1 ${2:-}" in
  'info ') echo "--device auto takes $(cat "$(dirname "$0")/device")" ;;
  'info --json') echo '{}' ;;
  'presets fast-cifar10') printf '[pretext]\nepochs = 300\nschedule = {lr = 0.8, warmup_epochs = 10.0, x = 1}\n[cluster]\nepochs = 40\n[selflabel]\nepochs = 1\n' ;;
  run*)
    while [ "$1" != --out ]; do shift; done
    mkdir -p "$2" && echo '{"acc": 1}' >"$2/summary.json"
    echo "ran $*" ;;
esac
END
echo 'cuda:0, "Pretended" | card' >"$tree/bin/device"

# What GoogleTest 1.12 writes, one test of each result.
program "$tree/tests/cuda_a_tests" <<'END'
cat >"${1#*json:}" <<'JSON'
{"testsuites": [{"testsuite": [
  {"name": "a", "status": "RUN", "result": "COMPLETED"},
  {"name": "b", "status": "RUN", "result": "SKIPPED"},
  {"name": "c", "status": "RUN", "result": "COMPLETED",
   "failures": [{"failure": "no"}]}]}]}
JSON
echo '[  FAILED  ] Suite.c (3 ms)'
exit 1
END
program "$tree/tests/cuda_b_tests" <<'END'
printf '{"result": "SKIPPED"\n}' >"${1#*json:}"
END
program "$tree/tests/cuda_c_tests" <<'END'
printf 'a\\b "quoted"\ttab \033[0m|bar\n'
exit 3
END
program "$tree/tests/dense_math_tests" </dev/null

# Tests: failures come first, and the rest goes on.
campaign 1 test
holds summary.md '# kith on cuda:0, "Pretended" | card' '- test, cuda_a_tests: failed. 1 passed, 1 failed, 1 skipped: Suite.c' \
  '| cuda_b_tests | skipped |' '0 passed, 0 failed, 1 skipped |' '- test, cuda_c_tests: failed. exit status 3: a\b "quoted" tab' \
  '| dense_math_tests | passed |'
[ "$(sed -n '3p;5p' "$out/summary.md" | tr '\n' ' ')" = '## What failed - test, cuda_a_tests: failed. 1 passed, 1 failed, 1 skipped: Suite.c  ' ] ||
  complain "the first failure is not the first line: $(head -5 "$out/summary.md")"
valid test 4

# What hangs is cut off with its children, and what finds no time left says so; the other items keep what they had.
program "$tree/tests/cuda_z_tests" <<END
sleep 600 &
echo \$! >"$work/child"
wait
END
campaign 1 --only 'cuda_z*' --limit 8 test
campaign 1 --only 'dense*' --limit 1 test
holds summary.md '- test, cuda_a_tests: failed.' '- test, cuda_z_tests: timed out. after ' '- test, dense_math_tests: not run.'
! grep -q . "/proc/$(cat "$work/child")/cmdline" 2>/dev/null || complain 'what hung runs on'
valid test 5

# Stopped itself, it takes along what runs.
rm "$work/child"
sh "$tree/bench/gpu.sh" --out "$out" --only 'cuda_z*' test >"$work/printed" 2>&1 &
script=$!
for _ in 1 2 3 4 5 6 7 8 9 10; do
  [ -s "$work/child" ] && break
  sleep 1
done
kill -TERM $script
wait $script
[ $? = 143 ] || complain "stopped: $(cat "$work/printed")"
! grep -q . "/proc/$(cat "$work/child")/cmdline" 2>/dev/null || complain 'what ran when it was stopped runs on'
for name in a b c z; do program "$tree/tests/cuda_${name}_tests" </dev/null; done
campaign 0 test
holds summary.md Nothing.

# Benchmarks: what they print is shown. One that finds no device is skipped.
program "$tree/bench/bench_one_cuda" <<'END'
echo "Run on (4 X 1 MHz)"
echo "one_forward 12 us"
END
program "$tree/bench/bench_two_cuda" <<'END'
echo 'no CUDA device: none'
exit 77
END
campaign 0 bench
grep -q '^bench: bench_one_cuda, ' "$work/printed" || complain "what runs is not said: $(cat "$work/printed")"
holds summary.md 'one_forward 12 us' '| bench_two_cuda | skipped |' '| no CUDA device: none |'
lacks summary.md 'Run on'
valid bench 2

# Rivals: python3 is a shell here. The one that takes longest comes first.
program "$work/path/python3" <<'END'
[ "$1" = -c ] || exec sh "$@"
END
for name in augment common train_step; do echo "echo $name beside \$KITH_TREE" >"$tree/bench/rivals/gpu_$name.py"; done
campaign 0 rivals
holds summary.md "train_step beside $tree" "augment beside $tree"
[ "$(cut -f1 "$out/logs/rivals.items" | tr '\n' ' ')" = 'gpu_train_step gpu_augment ' ] || complain "rivals: $(cat "$out/logs/rivals.items")"

# Training: epochs and warm-up by the minutes, at least one epoch; a profile before it, and none when it goes on.
campaign 0 train
holds train.json 'no data: --data cifar10:FOLDER'
campaign 0 --data cifar10:/data --minutes 5 train
holds summary.md '--set pretext.epochs=100 --set pretext.schedule.warmup_epochs=3.33 --set cluster.epochs=13 --set selflabel.epochs=1' \
  "$out/run-profile --profile"
holds logs/train.summary.json '"acc"'
valid train 2
campaign 0 --data cifar10:/data --minutes 5 train
valid train 2

# Twelve minutes: what passed stays, what did not is run again, and nothing else; the training is short, and has no profile.
rm -rf "$out"
program "$tree/tests/cuda_a_tests" <<END
echo ran >>"$work/ran_a"
END
program "$tree/tests/cuda_b_tests" <<END
echo ran >>"$work/ran_b"
[ -e "$work/mended" ]
END
for name in ntxent topk batch_norm train_step; do echo "echo $name beside it" >"$tree/bench/rivals/gpu_$name.py"; done
echo 'echo scan_loss 5 us' | program "$tree/bench/bench_scan_loss_cuda"
campaign 1 --data cifar10:/data twelve
touch "$work/mended"
campaign 0 --data cifar10:/data twelve
[ "$(wc -l <"$work/ran_a")$(wc -l <"$work/ran_b")" = 12 ] || complain "twelve ran again what had passed: $(cat "$work/printed")"
[ "$(cut -f1 "$out/logs/compare.items" | tr '\n' ' ')" = 'gpu_ntxent gpu_topk bench_scan_loss_cuda gpu_batch_norm gpu_train_step ' ] ||
  complain "compare: $(cat "$out/logs/compare.items")"
holds summary.md 'ntxent beside it' 'scan_loss 5 us' '--set pretext.epochs=40' '| cuda_b_tests | passed |'
lacks summary.md '--profile'
rm "$tree/bench/rivals/gpu_ntxent.py" "$tree/bench/rivals/gpu_topk.py" "$tree/bench/rivals/gpu_batch_norm.py"

# Without a device everything but the tests is skipped, with the reason; a program that does not start is a failure.
echo 'the CPU; no GPU: no driver answers' >"$tree/bin/device"
rm -rf "$out"
campaign 0
holds summary.md '# kith on a machine without a GPU' 'no GPU: no driver answers' Nothing. '| cuda_a_tests | passed |' '| bench | skipped |'
echo 'echo "GLIBC_9 not found" >&2; exit 1' | program "$tree/bin/kith"
campaign 1 bench
holds summary.md '- bench, kith: failed. kith info fails: GLIBC_9 not found'

campaign 2 nonsense
campaign 2 --minutes none
out='' && campaign 2 test
[ $failures = 0 ] && echo 'campaign: all is well'
exit $((failures > 0))
