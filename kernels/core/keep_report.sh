#!/bin/sh
# Runs the compiler command it is given, which names its object with -o, and keeps what ptxas reports about the kernels
# (-Xptxas -v) beside the object, as OBJECT.ptxas; every other message is passed on. tests/budget reads the reports.
previous= object=
for word; do
  [ "$previous" != -o ] || object=$word
  previous=$word
done
"$@" 2>"$object.ptxas"
status=$?
grep -v -e '^ptxas info' -e '^ *[0-9]* bytes stack frame' "$object.ptxas" >&2
exit $status
