#!/usr/bin/env bash
# Guess: a tar of cat.0.jpg, cat.1.jpg, ..., dog.2.jpg (the names of the Kaggle cats and dogs) is read by WebDataset as one sample
# per picture, for the key is the name without its extension.
# Really: the key ends at the first dot. The six pictures are two samples, "cat" and "dog", whose fields are "0.jpg", "1.jpg" and
# "2.jpg". Names with a version or a decimal number (crop_0.5.jpg, crop_0.7.jpg) fall together likewise; no error is raised.
# Meets: whoever packs an existing folder of pictures into shards with tar.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check webdataset==1.0.2 numpy==2.4.6
cd "$place"
venv/bin/python -W ignore - <<'PYTHON'
import io
import tarfile
from importlib.metadata import version

import webdataset

print("webdataset", version("webdataset"))


def samples(names):
    with tarfile.open("shard.tar", "w") as tar:
        for name in names:
            entry = tarfile.TarInfo(name)
            entry.size = 4
            tar.addfile(entry, io.BytesIO(b"data"))
    read = webdataset.WebDataset("shard.tar", shardshuffle=False)
    return {s["__key__"]: [field for field in s if not field.startswith("__")] for s in read}


animals = samples(f"train/{kind}.{i}.jpg" for kind in ("cat", "dog") for i in range(3))
crops = samples(["crop_0.5.jpg", "crop_0.7.jpg"])
folder = samples(["v1.2/a.jpg", "v1.2/b.jpg"])
print("6 animals:", animals)
print("2 crops:", crops)
print("a dot in the folder is harmless:", folder)
assert animals == {f"train/{kind}": ["0.jpg", "1.jpg", "2.jpg"] for kind in ("cat", "dog")}
assert crops == {"crop_0": ["5.jpg", "7.jpg"]}
assert len(folder) == 2
PYTHON
# Seen on Debian 12, Python 3.11, amd64:
#   webdataset 1.0.2
#   6 animals: {'train/cat': ['0.jpg', '1.jpg', '2.jpg'], 'train/dog': ['0.jpg', '1.jpg', '2.jpg']}
#   2 crops: {'crop_0': ['5.jpg', '7.jpg']}
#   a dot in the folder is harmless: {'v1.2/a': ['jpg'], 'v1.2/b': ['jpg']}
