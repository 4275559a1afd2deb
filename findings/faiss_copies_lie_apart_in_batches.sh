#!/usr/bin/env bash
# Guess: faiss's exact search (IndexFlatL2) tells the same distances for a row however many rows are asked at once, or changes at 20 queries, its
# old threshold; a copy is 0 away.
# Really: from queries x columns = 128,000 on (164 rows of 784, 42 of 3,072) distances come from |a|^2 + |b|^2 - 2ab in float32. Of the copies among
# pictures scaled to 0..1 or to unit length all are 0 away in smaller batches, little more than half in larger ones; the others lie up to 0.003 away
# at unit length, 11 in pixels of 0..255. range_search with a radius of 1e-7 finds 2.0 rows for each or 1.1. No warning.
# Meets: removal of exact duplicates by a distance of 0 or a small radius, densities by the distance to the nearest row, tests on a few rows.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check faiss-cpu==1.15.1 numpy==2.4.6
"$place/venv/bin/python" -W error - <<'PYTHON'
from importlib.metadata import version

import faiss
import numpy as np

print("  ".join(f"{name} {version(name)}" for name in ("faiss-cpu", "numpy")))
rng = np.random.default_rng(0)


def pictures(columns, count=1000):  # gray levels that change slowly from pixel to pixel; the second half repeats the first
    steps = rng.normal(0, 12, (count, columns)).cumsum(1) + rng.uniform(60, 200, (count, 1))
    return np.tile(steps.clip(0, 255).round(), (2, 1)).astype(np.float32)


def search(rows, queries):
    index = faiss.IndexFlatL2(rows.shape[1])
    index.add(rows)
    return index.search(rows[:queries], 2)[0], index.range_search(rows[:queries], 1e-7)[0][-1] / queries


for columns in (64, 784, 3072):
    rows = pictures(columns, 100)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    few = -(-128_000 // columns)
    rows = np.tile(rows, (-(-few // len(rows)), 1))
    largest = [float(search(rows, queries)[0].max()) for queries in (few - 1, few)]
    print(f"{columns} columns: the copy is at most {largest[0]} away (squared) for {few - 1} queries, {largest[1]:.2g} for {few}")
    assert largest[0] == 0 and largest[1] > 0

rows = pictures(784)
sets = {"0..255": rows, "0..1": rows / 255, "unit length": rows / np.linalg.norm(rows, axis=1, keepdims=True)}
for name, kind in sets.items():
    for queries in (163, 164, 1000):
        far, found = search(kind, queries)
        share = (far[:, 1] == 0).mean()
        print(f"{name}, {queries} queries: {share:.2f} of the copies are 0 away, at most {far.max() ** 0.5:.2g}; within 1e-7 are {found:.2f} rows for each")
        assert (share == 1 and found == 2) if queries == 163 else name == "0..255" or (share < 0.9 and found < 1.8)
PYTHON
# Seen on Debian 12, Python 3.11, amd64:
#   faiss-cpu 1.15.1  numpy 2.4.6
#   64 columns: the copy is at most 0.0 away (squared) for 1999 queries, 1.2e-06 for 2000
#   784 columns: the copy is at most 0.0 away (squared) for 163 queries, 5.7e-06 for 164
#   3072 columns: the copy is at most 0.0 away (squared) for 41 queries, 8.1e-06 for 42
#   0..255, 163 queries: 1.00 of the copies are 0 away, at most 0; within 1e-7 are 2.00 rows for each
#   0..255, 164 queries: 0.82 of the copies are 0 away, at most 9.8; within 1e-7 are 1.65 rows for each
#   0..255, 1000 queries: 0.82 of the copies are 0 away, at most 11; within 1e-7 are 1.66 rows for each
#   0..1, 163 queries: 1.00 of the copies are 0 away, at most 0; within 1e-7 are 2.00 rows for each
#   0..1, 164 queries: 0.60 of the copies are 0 away, at most 0.016; within 1e-7 are 1.24 rows for each
#   0..1, 1000 queries: 0.63 of the copies are 0 away, at most 0.019; within 1e-7 are 1.28 rows for each
#   unit length, 163 queries: 1.00 of the copies are 0 away, at most 0; within 1e-7 are 2.00 rows for each
#   unit length, 164 queries: 0.54 of the copies are 0 away, at most 0.0023; within 1e-7 are 1.11 rows for each
#   unit length, 1000 queries: 0.54 of the copies are 0 away, at most 0.0027; within 1e-7 are 1.10 rows for each
