#!/bin/sh
# counts.sh COUNTS: bench/counts/run, of that folder, with a valgrind that only pretends to count.
set -u
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0
mkdir "$work/path" "$work/counts"
cp "$1/run" "$work/counts/"

cat >"$work/path/valgrind" <<END
#!/bin/sh
for word; do
  case \$word in
    --callgrind-out-file=*) cp "$work/counted" "\${word#*=}" ;;
    -*) ;;
    *) break ;;
  esac
  shift
done
echo "\$* OMP_NUM_THREADS=\$OMP_NUM_THREADS \${ONEDNN_MAX_CPU_ISA-unset}" >"$work/started"
cat "$work/said"
exit \$(cat "$work/status")
END
chmod +x "$work/path/valgrind"
export PATH="$work/path:$PATH" ONEDNN_MAX_CPU_ISA=SSE41

complain() {
  echo "counts: $*"
  failures=$((failures + 1))
}
builds() { # COMPILER ONEDNN: that the program is of
  printf '{\n  "context": {\n    "date": "today",\n    "compiler": "%s",\n    "onednn": "%s"\n  }\n}\n' "$1" "$2" >"$work/said"
}
counted() { # NAME COUNT ...: as callgrind writes it, first what was counted before the first request
  printf 'version: 1\npart: 1\ndesc: Trigger: Program termination\nevents: Ir\nfn=a\n1 7\ntotals: 7\n' >"$work/counted"
  while [ $# -gt 0 ]; do
    printf 'part: 2\ndesc: Trigger: Client Request: %s\nevents: Ir\nsummary: %s\nfn=f\n16 3\ntotals: %s\n' "$1" "$2" "$2"
    shift 2
  done >>"$work/counted"
}
run() { # STATUS ARGUMENTS...: the script with them exits like that
  want=$1
  shift
  sh "$work/counts/run" "$@" program >"$work/printed" 2>&1
  got=$?
  [ $got = "$want" ] || complain "run $*: exit status $got, not $want: $(cat "$work/printed")"
}
prints() { # TEXT...: each a part of a line, blanks taken together
  for text in "$@"; do tr -s ' ' <"$work/printed" | grep -qF -e "$text" || complain "'$text' is not in: $(cat "$work/printed")"; done
}
spares() { ! grep -qF -e "$1" "$work/printed" || complain "'$1' is in: $(cat "$work/printed")"; }

# What it writes it agrees with, and counts beyond 32 bits are kept. The program is started alone in its environment.
echo 0 >"$work/status"
builds 'g++ 12' 2.6.3
counted topk/8 1000 big/1/2 9000000000 add/4 100
run 0 --update
prints '3 kernels, '
grep -qxF '"big/1/2" = 9000000000' "$work/counts/baseline.toml" || complain "baseline: $(cat "$work/counts/baseline.toml")"
run 0
prints 'big/1/2 9000000000 9000000000 1.000' '3 kernels, 0 out of the band'
grep -qx 'program --benchmark_format=json OMP_NUM_THREADS=1 unset' "$work/started" || complain "started: $(cat "$work/started")"

# The band, on both sides.
counted topk/8 1100 big/1/2 8100000000 add/4 100
run 0
counted topk/8 1101 big/1/2 8099999999 add/4 100
run 1
prints 'topk/8 1000 1101 1.101 more than 10 % above the baseline' '0.900 more than 10 % below the baseline' '3 kernels, 2 out'

# Kernels and lines that stand alone.
counted topk/8 1000 add/4 100
run 1
prints 'big/1/2 9000000000 - - is in the baseline, but no such kernel was counted' '2 kernels, 0 out of the band of 10 %, 1 without'
counted topk/8 1000 big/1/2 9000000000 add/4 100 new/2 5
run 1
prints 'new/2 - 5 - has no line in the baseline' '4 kernels, 0 out of the band of 10 %, 1 without'

# Another compiler, another oneDNN: a warning, but for names.
builds 'g++ 13' 2.6.3
counted topk/8 2000 big/1/2 9000000000 add/4 100
run 0
prints 'warning: the baseline is of g++ 12 with oneDNN 2.6.3, this is g++ 13 with oneDNN 2.6.3' 'topk/8 1000 2000 2.000 more'
builds 'g++ 12' 3.1
run 0
prints 'this is g++ 12 with oneDNN 3.1'
counted topk/8 1000 add/4 100
run 1

# A program that fails, and one that no request comes from, change nothing.
builds 'g++ 12' 2.6.3
counted topk/8 1 big/1/2 1 add/4 1
echo 1 >"$work/status"
run 1 --update
prints '"compiler": "g++ 12"'
echo 0 >"$work/status"
counted
run 1 --update
prints 'counted nothing'
counted topk/8 1000 big/1/2 9000000000 add/4 100
run 0
spares warning

: >"$work/counts/baseline.toml"
run 1
prints 'topk/8 - 1000 - has no line' '3 without'
rm "$work/counts/baseline.toml"
run 2

[ $failures = 0 ] && echo 'counts: all is well'
exit $((failures > 0))
