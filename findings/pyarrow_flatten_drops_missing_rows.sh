#!/usr/bin/env bash
# Guess: flatten() of a column of fixed-size lists is N x D numbers, missing rows as NaN, and values are those numbers too.
# Really: flatten() leaves missing rows out: reshaped to (-1, D), every row after the first missing one belongs to another picture, and a
# multiple of D numbers always fits. values keeps them, but of the whole array: of a slice it gives the rows from the very beginning, so a loop
# over batches of one table reads the first rows every time. to_numpy and to_pylist are right both times.
# Meets: whoever keeps embeddings in Parquet or Arrow files, with some pictures that could not be read, and takes them out as one matrix.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check pyarrow==26.0.1 numpy==2.4.6
cd "$place"
venv/bin/python -W ignore - <<'PYTHON'
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

print("pyarrow", pa.__version__)
rows, dim = 1000, 4
x = np.random.default_rng(0).standard_normal((rows, dim))
missing = np.zeros(rows, bool)
missing[[99, 500]] = True
column = pa.FixedSizeListArray.from_arrays(pa.array(x.ravel()), dim, mask=pa.array(missing))
pq.write_table(pa.table({"id": np.arange(rows), "embedding": column}), "e.parquet")
table = pq.read_table("e.parquet")
array = table["embedding"].chunk(0)
assert array.null_count == 2 and len(array) == rows and table["embedding"].num_chunks == 1


def right(matrix, ids):
    return int(sum(np.array_equal(row, x[i]) for row, i in zip(matrix, ids)))


flat = array.flatten().to_numpy().reshape(-1, dim)
plain = array.values.to_numpy(zero_copy_only=False).reshape(-1, dim)
print(f"{rows} rows, 2 missing: flatten {flat.shape}, rows in their place {right(flat, range(rows))}; "
      f"values {plain.shape}, {right(plain, range(rows))}; NaN rows {int(np.isnan(plain).all(1).sum())}")
batch = table.slice(600, 100)
ids = batch["id"].to_numpy()
part = batch["embedding"].chunk(0)
flat_part = part.flatten().to_numpy().reshape(-1, dim)
values_part = part.values.to_numpy(zero_copy_only=False).reshape(-1, dim)
print(f"rows 600 to 699: flatten {flat_part.shape}, in their place {right(flat_part, ids)}; values {values_part.shape}, {right(values_part, ids)}")
assert flat.shape == (rows - 2, dim) and right(flat, range(rows)) == 99
assert plain.shape == (rows, dim) and right(plain, range(rows)) == rows - 2
assert right(flat_part, ids) == 100 and values_part.shape == (rows, dim) and right(values_part, ids) == 0
PYTHON
# Seen on Debian 12, Python 3.11, amd64:
#   pyarrow 26.0.1
#   1000 rows, 2 missing: flatten (998, 4), rows in their place 99; values (1000, 4), 998; NaN rows 2
#   rows 600 to 699: flatten (100, 4), in their place 100; values (1000, 4), 0
