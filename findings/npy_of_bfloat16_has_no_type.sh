#!/usr/bin/env bash
# Guess: an array of bfloat16 (ml_dtypes, what JAX and others hand out) is saved by numpy.save and loaded as bfloat16, or refused.
# Really: it is saved without a warning, with the type "|V2": two bytes of anything. The loaded array has the right shape and no numbers in
# it; 8-bit floats become "|V1", and so do 4-bit integers. Only who knows what it was can say .view(ml_dtypes.bfloat16).
# Meets: features computed in bf16 and kept as .npy; readers of other languages, to which the header says nothing.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check ml_dtypes==0.6.0 numpy==2.4.6
"$place/venv/bin/python" -W error - <<'PYTHON'
import io

import ml_dtypes
import numpy as np

print("ml_dtypes", ml_dtypes.__version__, "numpy", np.__version__)
x = np.linspace(-2, 2, 6).reshape(2, 3).astype(np.float32)
for kind in (ml_dtypes.bfloat16, ml_dtypes.float8_e4m3fn, ml_dtypes.int4):
    saved = x.astype(kind)
    file = io.BytesIO()
    np.save(file, saved)
    file.seek(0)
    header = file.getvalue()[10:60].split(b",")[0].decode()
    loaded = np.load(file)
    try:
        loaded.astype(np.float32)
        numbers = "numbers"
    except ValueError as error:
        numbers = f"no numbers: {error}"
    print(f"{saved.dtype}: header {header}, loaded as {loaded.dtype} {loaded.shape}, {numbers}")
    assert loaded.dtype.kind == "V" and numbers != "numbers"
    assert np.array_equal(loaded.view(kind).astype(np.float32), saved.astype(np.float32))
PYTHON
# Seen on Debian 12, Python 3.11, amd64:
#   ml_dtypes 0.6.0 numpy 2.4.6
#   bfloat16: header {'descr': '<V2', loaded as |V2 (2, 3), no numbers: setting an array element with a sequence.
#   float8_e4m3fn: header {'descr': '<V1', loaded as |V1 (2, 3), no numbers: setting an array element with a sequence.
#   int4: header {'descr': '<V1', loaded as |V1 (2, 3), no numbers: setting an array element with a sequence.
