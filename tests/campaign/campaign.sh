#!/bin/sh
# campaign.sh BENCH CMAKE: bench/gpu.sh on a tree of programs that pass, fail, hang or report as GoogleTest does.
set -u
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tree=$work/tree out=$work/out cmake=$2 failures=0
mkdir -p "$tree/bin" "$tree/tests" "$tree/bench/rivals" "$work/path"
cp "$1"/gpu*.sh "$1"/gpu_prediction.py "$tree/bench/"
export PYTHON="$(command -v python3 || true)"
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

# Rivals: python3 is a shell here, but for what reads JSON. The one that takes longest comes first.
program "$work/path/python3" <<'END'
case $1 in
  -c) ;;
  *prediction.py) exec ${PYTHON:-false} "$@" ;;
  *) exec sh "$@" ;;
esac
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

# Predictions: what is furthest off comes first in the table. A card without one is no failure; where a program fails the
# others have their rows, and twelve, called again, runs that one alone.
benchmark_file() { # NAME US
  printf '{"context": {"device": "NVIDIA H200, sm_90", "commit": "c0ffee"}, "benchmarks": [
    {"name": "%s/iterations:1/manual_time", "real_time": %s, "time_unit": "us", "spread": 0.01}]}\n' "$1" "$2"
}
measures() { # PROGRAM NAME US
  benchmark_file "$2" "$3" >"$work/$1.json"
  program "$tree/bench/bench_$1_cuda" <<END
echo ran >>"$work/ran_$1"
for argument in "\$@"; do
  case \$argument in
    --benchmark_filter=*) echo "\$argument" | grep -qF '^($2)/iterations:' || exit 5 ;;
    --benchmark_out=*) cat "$work/$1.json" >"\${argument#*=}" ;;
  esac
done
END
}
if [ -n "$PYTHON" ]; then
  rm -rf "$out" "$tree"/bench/bench_*
  cat >"$tree/bench/gpu_prediction.json" <<'END'
{"cards": {"h200": "NVIDIA H200 SXM"}, "benchmarks": [
  {"name": "near/64", "program": "one", "calls": [
    {"kernel": "near_forward", "sizes": "rows=64", "launches": 1, "us": {"h200": {"DRAM": 1.5, "launch": 2.0}}},
    {"kernel": "near_backward", "sizes": "rows=64", "launches": 2, "us": {"h200": {"L2": 3.0, "launch": 1.0}}}]},
  {"name": "run/far/side:8", "program": "two", "calls": [
    {"kernel": "far", "sizes": "side=8", "launches": 1, "us": {"h200": {"launch": 2.0}}}]},
  {"name": "gone/1", "program": "three", "calls": [
    {"kernel": "gone", "sizes": "n=1", "launches": 1, "us": {"h200": {"launch": 2.0}}}]}]}
END
  measures one near/64 10
  echo 'exit 3' | program "$tree/bench/bench_two_cuda"
  campaign 0 predict
  holds summary.md '| predict | skipped | 0 | no prediction for cuda:0, "Pretended" \| card; the cards are NVIDIA H200 SXM |'
  echo 'cuda:0, NVIDIA H200, sm_90' >"$tree/bin/device"
  campaign 1 predict
  holds summary.md '| near | rows=64 | L2 | 5.00 | 10.00 | 2.00 |' '- predict, bench_two_cuda: failed. exit status 3' \
    'Predicted, but not measured: run/far/side:8, gone/1.' "| bench_three_cuda | skipped | 0 | not in $tree |"
  measures two run/far/side:8 0.5
  campaign 0 --data cifar10:/data --only 'bench_*' twelve
  [ "$(wc -l <"$work/ran_one")$(wc -l <"$work/ran_two")" = 11 ] || complain "predict ran again what had passed: $(cat "$work/printed")"
  [ "$(grep -A 3 '^| kernel' "$out/summary.md" | tail -2)" = '| run/far | side=8 | launch | 2.00 | 0.50 | 0.25 |
| near | rows=64 | L2 | 5.00 | 10.00 | 2.00 |' ] || complain "the table: $(cat "$out/summary.md")"
  holds summary.md 'measured on NVIDIA H200, sm_90, commit c0ffee. Furthest off first.'
  holds prediction.json '"commit": "c0ffee"' '"device": "NVIDIA H200, sm_90"' '"card": "NVIDIA H200 SXM"'

  # What the files lack, or have too much of, is said.
  measures two run/far/side:8 0
  sed -i 's/"real_time": 0,/"real_time": 0, "error_occurred": true, "error_message": "wrong by 3",/' "$work/two.json"
  campaign 0 predict
  holds summary.md 'Failed: run/far/side:8: wrong by 3' 'Predicted, but not measured: run/far/side:8, gone/1.'
  benchmark_file other/1 5 | sed 's/H200/A100/' >"$work/one.json"
  echo '{"context": {' >"$work/two.json"
  campaign 1 predict
  holds summary.md '- predict, table: failed. gpu_prediction.py: no prediction for NVIDIA A100, sm_90'
  lacks summary.md '| near |'
  benchmark_file other/1 5 >"$work/one.json"
  campaign 0 predict
  holds summary.md 'Measured, but not predicted: other/1.' 'Cannot be read: measured.bench_two_cuda.json: '
  echo 'cuda:0, "Pretended" | card' >"$tree/bin/device"
  campaign 0 predict
  lacks summary.md 'Measured, but not predicted'

  # The committed predictions and results of a card can be joined, and the page has the table of its results.
  results=$1/results/nvidia-h200
  "$PYTHON" "$1/gpu_prediction.py" join "$1/gpu_prediction.json" "$work/joined.json" "$results/ntxent.json" \
    "$results/topk.json" "$results/augment.json" || complain 'the results of an H200 cannot be joined'
  [ "$("$PYTHON" "$1/gpu_prediction.py" table "$work/joined.json" | grep -c '^| [a-z].*=.* | [0-9.]* |$')" -gt 3 ] ||
    complain "few rows: $(cat "$work/joined.json")"
  "$PYTHON" "$1/gpu_prediction.py" table "$results/prediction.json" | grep "^|\\|^Predicted (not measured)" >"$work/table"
  absent=$(grep -vxF -f "$1/README.md" "$work/table")
  [ -z "$absent" ] || complain "bench/README.md lacks: $absent"
else
  echo 'campaign: no python3; predictions are left out'
fi

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
