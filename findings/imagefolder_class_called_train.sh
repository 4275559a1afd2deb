#!/usr/bin/env bash
# Guess: Hugging Face datasets reads root/CLASS/*.png of CIFAR-100 with load_dataset("imagefolder") as one split of 100 classes.
# Really: CIFAR-100 has a class "train" (the vehicle). A folder of that name is taken for the training split: its pictures are all
# that is read, the other 99 classes are left out, and the column "label" is gone. No warning. A class "test", "dev", "eval" or
# "validation" does the same, and so does one picture whose file name begins with "train_".
# Meets: whoever exports CIFAR-100, COCO crops or ImageNet-like folders of unlabelled images for a clustering benchmark.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check datasets==5.2.0 pillow==13.0.0 numpy==2.4.6
cd "$place"
venv/bin/python -W ignore - <<'PYTHON'
import os
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_HOME"] = os.path.abspath("home")
import datasets
import numpy as np
from PIL import Image

datasets.disable_progress_bars()
print("datasets", datasets.__version__)


def read(root, names, rename=None):
    for name in names:
        os.makedirs(f"{root}/{name}")
        for i in range(3):
            Image.fromarray(np.full((8, 8, 3), 40 * i, np.uint8)).save(f"{root}/{name}/{i}.png")
    if rename:
        os.rename(f"{root}/{rename[0]}", f"{root}/{rename[1]}")
    found = datasets.load_dataset("imagefolder", data_dir=root)
    return {split: (len(rows), getattr(rows.features.get("label"), "names", None)) for split, rows in found.items()}


plain = read("a", ["bus", "tank", "truck"])
vehicle = read("b", ["bus", "train", "truck"])
exam = read("c", ["bus", "test", "truck"])
one_file = read("d", ["bus", "tank", "truck"], ("bus/0.png", "bus/train_0.png"))
print("bus, tank, truck     ", plain)
print("bus, train, truck    ", vehicle)
print("bus, test, truck     ", exam)
print("bus/train_0.png alone", one_file)
assert plain == {"train": (9, ["bus", "tank", "truck"])}
assert vehicle == {"train": (3, None)}
assert exam == {"test": (3, None)}
assert one_file == {"train": (1, None)}
PYTHON
# Seen on Debian 12, Python 3.11, amd64:
#   datasets 5.2.0
#   bus, tank, truck      {'train': (9, ['bus', 'tank', 'truck'])}
#   bus, train, truck     {'train': (3, None)}
#   bus, test, truck      {'test': (3, None)}
#   bus/train_0.png alone {'train': (1, None)}
