#!/usr/bin/env bash
# Guess: each library runs in a process of its own, so getrusage's ru_maxrss at its end is the peak of that library alone.
# Really: on Linux ru_maxrss lives on over exec: the child of a process that held 2 GB says 2 GB when it holds 30 MB, by RUSAGE_SELF
# inside it and by RUSAGE_CHILDREN and wait4 outside. VmHWM of /proc/self/status begins anew with the new program. With what a
# parent has drawn or loaded before, every smaller measurement becomes the same number.
# Meets: whoever compares peak memory of searches or training steps from one Python script (data drawn there, a process for each side).
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check faiss-cpu==1.15.1 numpy==2.4.6
cd "$place"
cat >search.py <<'PYTHON'
import re, resource, sys
import faiss, numpy as np

rows = np.random.default_rng(0).standard_normal((int(sys.argv[1]), 128), dtype=np.float32)
index = faiss.IndexFlatIP(128)
index.add(rows)
index.search(rows[:10], 20)
own = int(re.search(r"VmHWM:\s+(\d+)", open("/proc/self/status").read())[1])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, own // 1024)
PYTHON
venv/bin/python - <<'PYTHON'
import resource, subprocess, sys
import numpy as np


def measured(rows):
    said = subprocess.run([sys.executable, "search.py", str(rows)], check=True, capture_output=True, text=True).stdout
    return [int(word) for word in said.split()]


before = {rows: measured(rows) for rows in (20_000, 100_000)}
held = np.ones(1 << 28)  # 2 GiB, as a benchmark's own data
after = {rows: measured(rows) for rows in (20_000, 100_000)}
print("faiss-cpu 1.15.1, IndexFlatIP, MiB at most: ru_maxrss, VmHWM")
for rows in before:
    print(f"  {rows:7} x 128  parent small: {before[rows][0]:5} {before[rows][1]:5}   parent holds 2 GiB: {after[rows][0]:5} {after[rows][1]:5}")
print("RUSAGE_CHILDREN:", resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024)
for rows in before:
    assert before[rows][0] < 500 and abs(after[rows][1] - before[rows][1]) < 20
    assert after[rows][0] > 2000
PYTHON
# Seen on Debian 12, Linux 6, Python 3.11, amd64:
#   faiss-cpu 1.15.1, IndexFlatIP, MiB at most: ru_maxrss, VmHWM
#       20000 x 128  parent small:    83    83   parent holds 2 GiB:  2078    83
#      100000 x 128  parent small:   170   171   parent holds 2 GiB:  2078   171
#   RUSAGE_CHILDREN: 2078
