#!/usr/bin/env bash
# Guess: the codes of a categorical column in Polars, by to_physical(), are 0 to K - 1 for its own K categories, as in pandas, and the same at every run.
# Really: all columns held at the same time share one list, and a code is the place of the name in it: while a set of ten classes is held the codes of the
# next begin at 10, once it is dropped at 0. The same file with the ten digits has the codes 0 to 9, 10 to 19, or 4 to 11, 0 and 1, by what else the process
# holds; names are right throughout. A model saved by one process is scored against other codes in the next. Enum has codes of its own.
# Meets: integer labels for training, evaluated in another process; one-hot widths and class counts of bincount.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check polars==2.1.0 pandas==3.1.1 numpy==2.4.6
cat >"$place/codes.py" <<'PYTHON'
import sys

import polars as pl

held = [pl.read_csv(path, schema={"label": pl.Categorical})["label"] for path in sys.argv[1:]]
codes = held[-1].to_physical().to_list()
print(codes, held[-1].to_list() == pl.read_csv(sys.argv[-1])["label"].to_list())
PYTHON
cat >"$place/look.py" <<'PYTHON'
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl

print("  ".join(f"{name} {version(name)}" for name in ("polars", "pandas", "numpy")))
place = Path(sys.argv[1])
sets = {"digits": "zero one two three four five six seven eight nine".split(),
        "clothes": "top trousers pullover dress coat sandal shirt sneaker bag boot".split(),
        "few": ["eight", "nine", "plane", "bird", "zero"]}
for name, labels in sets.items():
    (place / f"{name}.csv").write_text("\n".join(["label", *labels]) + "\n")


def codes(*names):
    paths = [str(place / f"{name}.csv") for name in names]
    found = subprocess.run([sys.executable, "-W", "error", str(place / "codes.py"), *paths], check=True, capture_output=True, text=True).stdout.strip()
    numbers, same = found.rsplit(" ", 1)
    assert same == "True"
    return [int(number) for number in numbers.strip("[]").split(",")]


alone, later, mixed = codes("digits"), codes("clothes", "digits"), codes("few", "digits")
for name, found in {"the digits alone": alone, "beside the clothes": later, "beside a file with three of the names": mixed}.items():
    print(f"{name}: {found}, {len(np.bincount(found))} classes by bincount")
assert alone == list(range(10)) and later == list(range(10, 20)) and mixed == [4, *range(5, 12), 0, 1]

read = [pd.read_csv(place / f"{name}.csv", dtype={"label": "category"})["label"] for name in ("clothes", "digits")]
print("pandas, beside the clothes:", sorted(read[1].cat.codes))
assert sorted(read[1].cat.codes) == list(range(10))
dropped = [pl.Series(sets[name], dtype=pl.Categorical).to_physical().to_list() for name in ("clothes", "digits")]
print("Polars, the clothes dropped before:", dropped[1])
assert dropped[1] == alone
kept = pl.Series(sets["digits"], dtype=pl.Enum(sets["digits"])).to_physical().to_list()
print("Polars, Enum:", kept)
assert kept == alone
PYTHON
"$place/venv/bin/python" -W error "$place/look.py" "$place"
# Seen on Debian 12, Python 3.11, amd64:
#   polars 2.1.0  pandas 3.1.1  numpy 2.4.6
#   the digits alone: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9], 10 classes by bincount
#   beside the clothes: [10, 11, 12, 13, 14, 15, 16, 17, 18, 19], 20 classes by bincount
#   beside a file with three of the names: [4, 5, 6, 7, 8, 9, 10, 11, 0, 1], 12 classes by bincount
#   pandas, beside the clothes: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
#   Polars, the clothes dropped before: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
#   Polars, Enum: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
