#!/usr/bin/env bash
# Guess: a checkpoint of tensors with the index of the best head beside them is "weights only": torch.load reads it by default, as it
# reads Python numbers, strings and lists.
# Really: the index is often what numpy.argmin gave, a numpy.int64, and one such number makes the default torch.load refuse the whole file:
# it wants numpy's scalar constructor allowed. The same number from torch.argmin or int() passes. Files from before torch 2.6 loaded.
# Meets: whoever opens SCAN-style checkpoints ({"model": ..., "head": best}), or logs a NumPy metric into a checkpoint.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check torch==2.13.0 numpy==2.4.6
cd "$place"
venv/bin/python -W ignore - <<'PYTHON'
import numpy as np
import torch

print("torch", torch.__version__, " numpy", np.__version__)
losses = [3.0, 1.0, 2.0]
heads = {"int(...)": int(np.argmin(losses)), "torch.argmin": torch.argmin(torch.tensor(losses)), "numpy.argmin": np.argmin(losses),
         "numpy float": np.float64(1) * 2, "float": 2.0}
read = {}
for name, head in heads.items():
    torch.save({"model": {"weight": torch.zeros(2)}, "head": head}, "file.pt")
    try:
        torch.load("file.pt")
        read[name] = "read"
    except Exception as error:
        text = str(error).replace("\n", " ")
        at = text.find("Unsupported")
        read[name] = f"{type(error).__name__}: {text[at:at + 75]}"
    print(f"{name:13} {read[name]}")
assert [text == "read" for text in read.values()] == [True, True, False, False, True]
assert torch.load("file.pt", weights_only=False)["head"] == 2
PYTHON
# Seen on Debian 12, Python 3.11, amd64:
#   torch 2.13.0+cpu  numpy 2.4.6
#   int(...)      read
#   torch.argmin  read
#   numpy.argmin  UnpicklingError: Unsupported global: GLOBAL numpy._core.multiarray.scalar was not an allowed
#   numpy float   UnpicklingError: Unsupported global: GLOBAL numpy._core.multiarray.scalar was not an allowed
#   float         read
