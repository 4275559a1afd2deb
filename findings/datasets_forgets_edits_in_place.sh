#!/usr/bin/env bash
# Guess: an image handed to datasets, or returned by a function given to map, is stored as it is at that moment.
# Really: an image that was opened from a file carries the name of the file, and while it does, the file is stored instead. What changes an image in
# place is lost without a warning: map(thumbnail) gives back every picture in full size, a corner painted over is back. What makes
# a new image (resize, crop, convert("L")) is stored. Where the column holds bytes, as from Parquet, the same map works.
# Meets: folders of pictures shrunk, blanked out or annotated with map before training or before they are given away.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check datasets==5.2.0 pillow==13.0.0 numpy==2.4.6
cd "$place"
export HF_HOME="$place/home" HF_HUB_OFFLINE=1 HF_DATASETS_DISABLE_PROGRESS_BARS=1
venv/bin/python - <<'PYTHON'
from importlib.metadata import version

import numpy as np
from datasets import Dataset, Image
from PIL import Image as Pictures

print("datasets", version("datasets"), " Pillow", version("pillow"))
Pictures.fromarray(np.full((48, 64, 3), 200, np.uint8)).save("p.png")


def shrink(image):
    image.thumbnail((16, 16))
    return image


def paint(image):
    image.paste((0, 0, 0), (0, 0, 32, 32))
    return image


def state(image):
    return image.size, int(np.asarray(image).min())


files = Dataset.from_dict({"image": ["p.png"]}).cast_column("image", Image())
with open("p.png", "rb") as file:
    stored_bytes = Dataset.from_dict({"image": [{"bytes": file.read(), "path": None}]}).cast_column("image", Image())
seen = {}
for change in (shrink, paint, lambda image: image.resize((16, 12))):
    name = change.__name__ if change.__name__ != "<lambda>" else "resize"
    results = {
        "wanted": state(change(Pictures.open("p.png"))),
        "from_dict": state(Dataset.from_dict({"image": [change(Pictures.open("p.png"))]})["image"][0]),
        "map over files": state(files.map(lambda row: {"image": change(row["image"])}, load_from_cache_file=False)["image"][0]),
        "map over bytes": state(stored_bytes.map(lambda row: {"image": change(row["image"])}, load_from_cache_file=False)["image"][0]),
    }
    seen[name] = results
    print(f"{name}:", ", ".join(f"{where} {size} darkest {least}" for where, (size, least) in results.items()))
untouched = ((64, 48), 200)
for name in ("shrink", "paint"):
    r = seen[name]
    assert r["from_dict"] == r["map over files"] == untouched != r["wanted"] == r["map over bytes"], name
assert len(set(seen["resize"].values())) == 1
PYTHON
# Seen on Debian 12, Python 3.11, amd64:
#   datasets 5.2.0  Pillow 13.0.0
#   shrink: wanted (16, 12) darkest 200, from_dict (64, 48) darkest 200, map over files (64, 48) darkest 200, map over bytes (16, 12) darkest 200
#   paint: wanted (64, 48) darkest 0, from_dict (64, 48) darkest 200, map over files (64, 48) darkest 200, map over bytes (64, 48) darkest 0
#   resize: wanted (16, 12) darkest 200, from_dict (16, 12) darkest 200, map over files (16, 12) darkest 200, map over bytes (16, 12) darkest 200
