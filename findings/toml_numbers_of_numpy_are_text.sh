#!/usr/bin/env bash
# Guess: toml.dump writes a number of NumPy as a number, leaves None out, or refuses both, as tomlkit and tomli-w do.
# Really: what the package does not know is written as the text of its repr: a learning rate of numpy.float64(0.1) is the string "np.float64(0.1)", an array a
# list of such strings, a path "PosixPath('runs/7')"; None vanishes in a table and is the string "None" in a list. TomlNumpyEncoder mends floats and
# integers, not numpy.bool_, which stays text: "np.False_" is true in an `if`.
# Meets: settings drawn with NumPy, best epochs of argmax, scores of a run kept as TOML.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check toml==0.10.2 tomli-w==1.2.0 tomlkit==0.15.2 numpy==2.4.6
"$place/venv/bin/python" -W error - <<'PYTHON'
import tomllib
from importlib.metadata import version
from pathlib import PurePosixPath

import numpy as np
import toml
import tomli_w
import tomlkit

print("  ".join(f"{name} {version(name)}" for name in ("toml", "tomli-w", "tomlkit", "numpy")))
accuracy = np.array([0.5, 0.75, 0.625])
run = {"epochs": 3, "rate": np.logspace(-1, -3, 3)[0], "best": accuracy.argmax(), "scale": np.float32(0.5), "nesterov": accuracy[0] > 1,
       "accuracy": accuracy, "warmup": None, "limits": [1, None], "folder": PurePosixPath("runs/7")}
read = tomllib.loads(toml.dumps(run))
encoder = tomllib.loads(toml.dumps(run, encoder=toml.TomlNumpyEncoder()))
for key in run:
    print(f"{key}: {run[key]!r} is read as {read.get(key, 'nothing')!r}, by TomlNumpyEncoder as {encoder.get(key, 'nothing')!r}")
assert read == {"epochs": 3, "rate": "np.float64(0.1)", "best": "np.int64(1)", "scale": "np.float32(0.5)", "nesterov": "np.False_",
                "accuracy": ["np.float64(0.5)", "np.float64(0.75)", "np.float64(0.625)"], "limits": [1, "None"], "folder": "PurePosixPath('runs/7')"}
assert encoder["rate"] == 0.1 and encoder["best"] == 1 and encoder["nesterov"] == "np.False_" and "warmup" not in encoder
for name, write in (("tomli-w", tomli_w.dumps), ("tomlkit", tomlkit.dumps)):
    for key in ("best", "nesterov", "accuracy", "warmup"):
        try:
            print(f"{name}: {write({key: run[key]})}")
            raise SystemExit(f"{name} no longer refuses {run[key]!r}")
        except (TypeError, ValueError) as refused:
            print(f"{name} refuses {run[key]!r}: {type(refused).__name__}")
PYTHON
# Seen on Debian 12, Python 3.11, amd64:
#   toml 0.10.2  tomli-w 1.2.0  tomlkit 0.15.2  numpy 2.4.6
#   epochs: 3 is read as 3, by TomlNumpyEncoder as 3
#   rate: np.float64(0.1) is read as 'np.float64(0.1)', by TomlNumpyEncoder as 0.1
#   best: np.int64(1) is read as 'np.int64(1)', by TomlNumpyEncoder as 1
#   scale: np.float32(0.5) is read as 'np.float32(0.5)', by TomlNumpyEncoder as 0.5
#   nesterov: np.False_ is read as 'np.False_', by TomlNumpyEncoder as 'np.False_'
#   accuracy: array([0.5  , 0.75 , 0.625]) is read as ['np.float64(0.5)', 'np.float64(0.75)', 'np.float64(0.625)'], by TomlNumpyEncoder as [0.5, 0.75, 0.625]
#   warmup: None is read as 'nothing', by TomlNumpyEncoder as 'nothing'
#   limits: [1, None] is read as [1, 'None'], by TomlNumpyEncoder as [1, 'None']
#   folder: PurePosixPath('runs/7') is read as "PurePosixPath('runs/7')", by TomlNumpyEncoder as "PurePosixPath('runs/7')"
#   tomli-w refuses np.int64(1): TypeError
#   tomli-w refuses np.False_: TypeError
#   tomli-w refuses array([0.5  , 0.75 , 0.625]): TypeError
#   tomli-w refuses None: TypeError
#   tomlkit refuses np.int64(1): ConvertError
#   tomlkit refuses np.False_: ConvertError
#   tomlkit refuses array([0.5  , 0.75 , 0.625]): ConvertError
#   tomlkit refuses None: ConvertError
