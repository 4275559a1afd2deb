# shellcheck shell=sh disable=SC2154  # variables of gpu.sh
# The items of a phase of gpu.sh: run under a time limit, recorded, and written as JSON and markdown. Sourced by gpu.sh, whose
# $out, $only, $resume, $device, $absent and $commit it reads. logs/PHASE.items has a line for each: name, result, seconds, detail.

clocks() { # driver; highest and present clocks, MHz; power limit
  command -v nvidia-smi >/dev/null || return 0
  timeout 20 nvidia-smi --query-gpu=driver_version,clocks.max.sm,clocks.sm,clocks.max.mem,power.limit --format=csv,noheader 2>/dev/null | head -1
}

log_of() { echo "$out/logs/$phase_name.$(echo "$1" | tr ' /' '__')"; } # ITEM: its log, and what is shown of it, but the ending

fits() { # shellcheck disable=SC2254  # a pattern is meant
  case $1 in $only) return 0 ;; *) return 1 ;; esac
}

has_passed() { # ITEM: in an earlier call that this one goes on with
  [ -n "$resume" ] && awk -F '\t' -v n="$1" '$1 == n && $2 == "passed" { found = 1 } END { exit !found }' "$items"
}

begin() { # PHASE SECONDS
  phase_name=$1 phase_start=$(date +%s) phase_end=$(($(date +%s) + $2))
  items=$out/logs/$1.items alone=''
  rm -f "$out/logs/$1.table"
  touch "$items"
  while IFS='	' read -r name rest; do
    if fits "$name" && ! has_passed "$name"; then rm -f "$(log_of "$name").shown"; else printf '%s\t%s\n' "$name" "$rest"; fi
  done <"$items" >"$items.kept"
  mv "$items.kept" "$items"
}

# item NAME SECONDS COMMAND...: runs it for at most that long, and never past the end of the phase. Status 1 where it is left
# out, by --only or for want of time.
item() {
  item_name=$1 box=$2 left=$((phase_end - $(date +%s)))
  shift 2
  fits "$item_name" && ! has_passed "$item_name" || return 1
  [ "$left" -lt "$box" ] && box=$left
  if [ "$box" -lt 2 ]; then
    record "$item_name" 'not run' 0 'no time left in this phase: run it again with --only'
    return 1
  fi
  log=$(log_of "$item_name").log started=$(date +%s)
  echo "$phase_name: $item_name, $box s at most" >&2  # minutes may pass before the next line
  # shellcheck disable=SC2086  # empty, or the flag that sends the signal to the program alone, once
  timeout $alone -k 20 "$box" "$@" >"$log" 2>&1 </dev/null &
  running=$!  # waited for, so that a signal to this shell is heard at once
  wait "$running"
  status=$?
  running=''
  took=$(($(date +%s) - started))
  if [ $took -ge "$box" ] && { [ $status = 124 ] || [ $status = 137 ]; }; then
    record "$item_name" 'timed out' $took "after $box s"
  else
    case $status in
      0) record "$item_name" passed $took '' ;;
      77) record "$item_name" skipped $took "$(tail -1 "$log")" ;;
      *) record "$item_name" failed $took "exit status $status: $(grep . "$log" | tail -1 | cut -c1-300)" ;;
    esac
  fi
  [ $status = 0 ] || [ $status = 77 ] || show 40
}

# stopped SIGNAL: what runs ends with this script, as it does at its time limit.
running=''
stopped() {
  trap '' HUP INT TERM
  if [ -n "$running" ]; then
    kill -TERM "$running"
    wait "$running"
  fi
  echo 'gpu.sh: stopped' >&2
  exit $((128 + $1))
}

record() { printf '%s\t%s\t%s\t%s\n' "$1" "$2" "$3" "$(printf '%s' "$4" | tr '\t\n\r' '   ' | tr -d '\000-\037')" >>"$items"; }
skip() { fits "$1" && record "$1" skipped 0 "$2"; } # NAME REASON

# The last item's tests, by the report that GoogleTest wrote: how many, and which failed. None of them run is no pass.
count_tests() {
  [ -e "$1" ] || return 0
  counts=$(awk '/"result": "COMPLETED"/ { done++ } /"result": "SKIPPED"/ { skipped++ }
    /"failures": \[/ { failed++ } END { printf "%d passed, %d failed, %d skipped", done - failed, failed, skipped }' "$1")
  names=$(sed -n 's/^\[  FAILED  \] \([^ ,]*\).* ms)$/\1/p' "$log" | head -8 | tr '\n' ' ')
  awk -F '\t' -v OFS='\t' -v n="$item_name" -v c="$counts" -v names="$names" '
    $1 == n && $2 == "passed" && c ~ /^0 passed, 0 failed/ { $2 = "skipped" }
    $1 == n { $4 = c (names != "" ? ": " names : $4 != "" ? "; " $4 : "") } { print }' "$items" >"$items.new" && mv "$items.new" "$items"
}

show() { # LINES: the end of the last item's log, for the summary; 0: all of it but the banner of a benchmark
  if [ "$1" = 0 ]; then grep -v '^\*\*\*\|^Run on\|^CPU Caches\|^  L[123] \|% .*steps.*left' "$log"; else cat "$log"; fi |
    tail -"$([ "$1" = 0 ] && echo 200 || echo "$1")" >"$(log_of "$item_name").shown"
}

json_string() { printf '%s' "$1" | sed 's/\\/\\\\/g; s/"/\\"/g'; }

finish() {
  date=$(date -u +%Y-%m-%dT%H:%M:%SZ)
  {
    printf '{"phase": "%s", "date": "%s", "seconds": %d, "commit": "%s", "device": "%s", "clocks": "%s",\n "items": [' \
      "$phase_name" "$date" $(($(date +%s) - phase_start)) "$commit" "$(json_string "${device:-$absent}")" "$(json_string "$(clocks)")"
    sed 's/\\/\\\\/g; s/"/\\"/g' "$items" | awk -F '\t' '{
      printf "%s\n  {\"name\": \"%s\", \"status\": \"%s\", \"seconds\": %d, \"detail\": \"%s\"}", (NR > 1 ? "," : ""), $1, $2, $3, $4 }'
    printf ']}\n'
  } >"$out/$phase_name.json"
  {
    printf '\n## %s\n\n%s, commit %s. %s\n\n| item | result | seconds | |\n|---|---|---|---|\n' "$phase_name" "$date" "$commit" \
      "${device:-$absent}"
    awk -F '\t' '{ gsub(/\|/, "\\|"); printf "| %s | %s | %d | %s |\n", $1, $2, $3, $4 }' "$items"
    while IFS='	' read -r name rest; do
      [ -s "$(log_of "$name").shown" ] && { printf '\n%s:\n\n```\n' "$name"; cat "$(log_of "$name").shown"; printf '```\n'; }
    done <"$items"
    [ -s "$out/logs/$phase_name.table" ] && { echo && cat "$out/logs/$phase_name.table"; }
  } >"$out/logs/$phase_name.md"
  awk -F '\t' -v p="$phase_name" '{ n[$2]++ } END {
    printf "%s: %d passed, %d failed, %d timed out, %d not run, %d skipped\n", p, n["passed"], n["failed"], n["timed out"],
      n["not run"], n["skipped"] }' "$items"
  awk -F '\t' '$2 != "passed" { printf "  %s: %s. %s\n", $1, $2, $4 }' "$items"
}

# All phases of $out so far, also of earlier calls, what failed first. Status 1 where something did.
write_summary() {
  for name in build test compare predict sanitize bench rivals train; do
    [ -e "$out/logs/$name.items" ] || continue
    awk -F '\t' -v p="$name" '$2 != "passed" && $2 != "skipped" { printf "- %s, %s: %s. %s\n", p, $1, $2, $4 }' "$out/logs/$name.items"
  done >"$out/logs/failed.md"
  {
    printf '# kith on %s\n\n## What failed\n\n' "${device:-a machine without a GPU}"
    if [ -s "$out/logs/failed.md" ]; then cat "$out/logs/failed.md"; else echo 'Nothing.'; fi
    printf '\n## Machine\n\n%s\n\n```\n' "${absent:-$(clocks)}"
    [ -e "$out/logs/info.log" ] && cat "$out/logs/info.log"
    echo '```'
    for name in build test compare predict sanitize bench rivals train; do
      [ -e "$out/logs/$name.md" ] && cat "$out/logs/$name.md"
    done
  } >"$out/summary.md"
  echo "summary: $out/summary.md"
  [ ! -s "$out/logs/failed.md" ]
}
