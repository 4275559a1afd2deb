#!/bin/sh
# What a first hour on a new card should tell, in phases of at most eight minutes:
#
#   gpu.sh --out DIR [--tree TREE] [--only PATTERN] [--limit N] [--data SPEC] [--preset NAME] [--minutes N] [--seed N] [PHASE...]
#
#   build      compiles kith (in a checkout)              sanitize  compute-sanitizer on the tests of the kernels
#   test       every test for a GPU                       bench     every benchmark for a GPU
#   rivals     PyTorch and others beside kith             train     where a step's time goes, and the preset (fast-cifar10) on
#   predict    what counts predict beside what is measured:         SPEC (cifar10:FOLDER)
#              prediction.json, of cards of gpu_prediction.json
#   twelve     where a card is there for a quarter of an hour and kith is built: test (3 minutes), compare (4: NT-Xent, top-K,
#              the SCAN loss, batch norm, the training step, beside PyTorch), predict (45 s), train (3 minutes, two fifteenths
#              of the preset), sanitize (75 s). Called again it goes on with what has not passed.
#
# Without phases: all. TREE is one made by `make dist`, or a build tree of CMake; where this file lies says which, unless it is
# given. DIR gets summary.md, PHASE.json, machine.json and logs/. A phase run again replaces what it wrote; with --only, the
# items alone whose name fits the pattern of the shell, as in --only 'bench_ntxent*'. A failed item is recorded, and the rest
# goes on; a phase ends after --limit N (480) seconds. Exit status: 0 where nothing failed (also where there is no CUDA device), 1 otherwise, 2 on wrong usage.
#
# The presets are meant to take 15 minutes: --minutes N (7) cuts a preset's epochs to N fifteenths. A training that meets the
# end of its phase is stopped and saved, and goes on when the phase is run again: --minutes 15 takes two or three of them.
set -u

usage() {
  sed -n '4s/^# *//p' "$0" >&2
  exit 2
}
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=bench/gpu_report.sh
. "$here/gpu_report.sh"

out='' tree='' only='*' limit=480 data='' preset=fast-cifar10 minutes=7 seed=0 phases='' resume=''
while [ $# -gt 0 ]; do
  case $1 in
    --out | --tree | --only | --limit | --data | --preset | --minutes | --seed)
      [ $# -ge 2 ] || usage
      eval "${1#--}=\$2"
      shift ;;
    build | test | sanitize | bench | predict | rivals | train | twelve) phases="$phases $1" ;;
    *) usage ;;
  esac
  shift
done
[ -n "$out" ] || usage
for number in "$minutes" "$limit"; do
  case $number in *[!0-9]* | '' | 0) usage ;; esac
done
mkdir -p "$out/logs" && out=$(cd "$out" && pwd) || exit 2
trap 'stopped 1' HUP
trap 'stopped 2' INT
trap 'stopped 15' TERM

# Where programs lie: a tree of make dist has bin/, a build tree apps/.
source=$(dirname "$here")
if [ -z "$tree" ]; then
  tree=$source
  [ -x "$tree/bin/kith" ] || tree=$source/build/cuda
fi
[ -d "$tree" ] && tree=$(cd "$tree" && pwd)
kith=$tree/bin/kith
[ -x "$kith" ] || kith=$tree/apps/kith
commit=$(cat "$tree/commit" 2>/dev/null || git -C "$source" describe --always --dirty 2>/dev/null || echo unknown)

# kith looks beside the python3 on PATH; only Python itself knows where a wrapper's packages lie.
if [ -z "${KITH_CUDA_LIBRARIES:-}" ] && command -v python3 >/dev/null; then
  KITH_CUDA_LIBRARIES=$(timeout 60 python3 -c '
import glob, sys
print(":".join(f for p in sys.path if p for f in sorted(glob.glob(p + "/nvidia/*/lib"))))' 2>/dev/null)
  export KITH_CUDA_LIBRARIES
fi

# programs PATTERN...: tests and benchmarks of those names, in either kind of tree, listed in $list: a loop that reads a pipe
# would run in a shell of its own, and signals would not reach what it runs.
list=$out/logs/programs
programs() {
  for pattern in "$@"; do
    find "$tree/tests" "$tree/bench" -maxdepth 2 -type f -perm -u+x -name "$pattern" 2>/dev/null | sort
  done >"$list"
}

# The card, or nothing; why there is none is then in $absent, and in $broken where kith itself is at fault.
find_device() {
  device='' broken='' absent="no CUDA device: $kith is not there"
  [ -x "$kith" ] || return
  if ! timeout 60 "$kith" info >"$out/logs/info.log" 2>&1; then
    broken="kith info fails: $(grep . "$out/logs/info.log" | tail -1)" absent=$broken
    return
  fi
  timeout 60 "$kith" info --json >"$out/machine.json" 2>/dev/null
  device=$(sed -n 's/^--device auto takes //p' "$out/logs/info.log")
  case $device in
    cuda:*) absent='' ;;
    *) absent="no CUDA device: ${device#the CPU; }" device='' ;;
  esac
}

phase_build() {
  if [ ! -e "$source/CMakeLists.txt" ]; then skip build 'a tree of make dist: built already'; return; fi
  if ! command -v nvcc >/dev/null; then skip build 'no nvcc'; return; fi
  item libraries 200 "$source/.ci/cuda_libraries"
  item configure 120 sh -c "cd '$source' && cmake --preset cuda"
  item compile 480 cmake --build "$source/build/cuda" --target device
}

phase_test() {
  programs 'cuda_*_tests' dense_math_tests
  while read -r program; do
    name=$(basename "$program")
    item "$name" 300 "$program" "--gtest_output=json:$out/logs/test.$name.json" && count_tests "$out/logs/test.$name.json"
  done <"$list"
  [ -s "$items" ] || skip tests "no tests for a GPU in $tree"
}

phase_sanitize() {
  sanitizer=$(PATH=$PATH:${CUDA_HOME:-/usr/local/cuda}/bin command -v compute-sanitizer)
  if [ -z "$sanitizer" ]; then skip compute-sanitizer 'not found'; return; fi
  programs 'cuda_*_tests'
  for tool in memcheck racecheck synccheck; do
    while read -r program; do
      case $program in *pipeline* | *apps* | *replay* | *profile*) continue ;; esac  # host code, and far too slow under the tool
      item "$tool $(basename "$program")" 60 "$sanitizer" --tool "$tool" --error-exitcode 9 "$program" --gtest_brief=1
    done <"$list"
  done
}

phase_bench() {
  programs 'bench_*_cuda' bench_ladder
  while read -r program; do
    name=$(basename "$program")
    case $name in
      bench_ladder) set -- ;;
      *) set -- "--benchmark_out=$out/logs/bench.$name.json" --benchmark_out_format=json \
        "--benchmark_context=commit=$commit,clocks=$(clocks | tr ', ' ';_')" ;;
    esac
    item "$name" 120 "$program" "$@" && show 0
  done <"$list"
  [ -s "$items" ] || skip benchmarks "no benchmarks for a GPU in $tree"
}

# The benchmarks for which there is a prediction, and both in one table: also of what earlier calls measured.
phase_predict() {
  python=$(command -v python3) || { skip predict 'no python3'; return; }
  of_card=$out/logs/predict.programs of_counts=$here/gpu_prediction.json
  if ! "$python" "$here/gpu_prediction.py" programs "$of_counts" "$device" >"$of_card" 2>&1; then
    skip predict "$(tail -1 "$of_card")"
    return
  fi
  while IFS='	' read -r name benchmarks; do
    programs "$name"
    program=$(cat "$list")
    if [ -z "$program" ]; then skip "$name" "not in $tree"; continue; fi
    item "$name" 20 "$program" "--benchmark_filter=$benchmarks" "--benchmark_out=$out/logs/measured.$name.json" \
      --benchmark_out_format=json "--benchmark_context=commit=$commit"
  done <"$of_card"
  set -- "$out"/logs/measured.*.json
  [ -e "$1" ] || return
  if ! {
    "$python" "$here/gpu_prediction.py" join "$of_counts" "$out/prediction.json" "$@" &&
      "$python" "$here/gpu_prediction.py" table "$out/prediction.json"
  } >"$out/logs/predict.table" 2>&1; then
    record table failed 0 "$(tail -1 "$out/logs/predict.table")"
  fi
}

# torch.compile takes minutes for a training step: that comparison has most of the phase, and is the first.
phase_rivals() {
  python=$(command -v python3) || { skip rivals 'no python3'; return; }
  for script in "$here"/rivals/gpu_train_step.py "$here"/rivals/gpu_*.py; do
    name=$(basename "$script" .py)
    case $name in
      gpu_common) continue ;;
      gpu_train_step) [ "${first:-}" = "$script" ] && continue; first=$script seconds=330 ;;
      *) seconds=100 ;;
    esac
    item "$name" "$seconds" env "KITH_TREE=$tree" "$python" "$script" "$out/logs/rivals.$name.json" && show 0
  done
}

# What decides, first the kernels that the method lives on: NAME SECONDS.
phase_compare() {
  python=$(command -v python3) || { skip compare 'no python3'; return; }
  for box in gpu_ntxent:45 gpu_topk:45 bench_scan_loss_cuda:15 gpu_batch_norm:30 gpu_train_step:105; do
    name=${box%:*} seconds=${box#*:}
    programs "$name"
    program=$(cat "$list")
    if [ -e "$here/rivals/$name.py" ]; then
      item "$name" "$seconds" env "KITH_TREE=$tree" "$python" "$here/rivals/$name.py" "$out/logs/rivals.$name.json" && show 0
    elif [ -n "$program" ]; then
      item "$name" "$seconds" "$program" "--benchmark_out=$out/logs/bench.$name.json" --benchmark_out_format=json && show 0
    else
      skip "$name" "not in $tree"
    fi
  done
}

# Epochs of a stage in the preset, cut to the share of fifteen minutes; the warm-up with them.
epochs() {
  "$kith" presets "$preset" | awk -v stage="$1" -v share="$minutes" '
    /^\[/ { on = $0 == "[" stage "]" }
    on && /^epochs *=/ { n = int($3 * share / 15 + 0.5); printf "--set %s.epochs=%d\n", stage, n < 1 ? 1 : n }
    on && match($0, /warmup_epochs = [0-9.]+/) {
      printf "--set %s.schedule.warmup_epochs=%.2f\n", stage, substr($0, RSTART + 16, RLENGTH - 16) * share / 15 }'
}

phase_train() {
  if [ -z "$data" ]; then skip train 'no data: --data cifar10:FOLDER'; return; fi
  run=$out/run-$preset-$minutes-seed$seed
  alone=--foreground  # a second signal would keep kith from saving what it trained
  set -- --data "$data" --preset "$preset" --device cuda --seed "$seed"
  if [ -n "$resume" ]; then
    :  # no time for a profile
  elif [ ! -e "$run" ]; then
    rm -rf "$out/run-profile"
    item profile 120 "$kith" run "$@" --out "$out/run-profile" --profile --set pretext.epochs=2 \
      --set pretext.schedule.warmup_epochs=0.5 --set cluster.epochs=1 --set selflabel.epochs=1 && show 0
  elif skip profile 'as it was when this training began'; then
    item_name=profile log=$(log_of profile).log
    [ -e "$log" ] && show 0
  fi
  # shellcheck disable=SC2046  # the words of epochs are arguments
  item "$preset, $minutes minutes" "$limit" "$kith" run "$@" --out "$run" --quiet $(epochs pretext) $(epochs cluster) $(epochs selflabel) &&
    show 0
  for file in summary.json timing.json metrics.jsonl; do [ -e "$run/$file" ] && cp "$run/$file" "$out/logs/train.$file"; done
}

one_phase() { # PHASE SECONDS
  phase=$1
  find_device
  begin "$phase" "$2"
  case $phase in
    build) phase_build ;;
    *)
      if [ -n "$broken" ]; then
        record kith failed 0 "$broken"
      elif [ -n "$absent" ] && [ "$phase" != test ]; then
        skip "$phase" "$absent"
      else
        "phase_$phase"
      fi ;;
  esac
  finish
}

for phase in ${phases:-build test sanitize bench predict rivals train}; do
  if [ "$phase" = twelve ]; then
    resume=yes minutes=2
    for part in test:180 compare:240 predict:45 train:180 sanitize:75; do one_phase "${part%:*}" "${part#*:}"; done
    resume=''
  else
    one_phase "$phase" "$limit"
  fi
done
write_summary
