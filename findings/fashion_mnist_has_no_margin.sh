#!/usr/bin/env bash
# Guess: Fashion-MNIST is framed as MNIST is (the object in the middle 20 x 20, four empty pixels around it) on a background of exactly 0.
# Really: the objects are scaled until they touch the frame: all but 21 of 60,000 images have ink in the outermost rows or columns (95 %
# of value 64 and more), every one within two pixels of the frame, and none fits into the middle 20 x 20. Around the object lies a
# faint haze: four of five images have more than five pixels of value 1 to 3, so "pixel > 0" is no mask.
# Meets: whoever carries MNIST's augmentation over (crop after padding by 4, shifts, rotations) or cuts out objects by their zero background.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check numpy==2.4.6
cd "$place"
apt-get download -qq dataset-fashion-mnist=0.0~git20200523.55506a9-1 2>apt.log || { cat apt.log >&2; exit 1; }
dpkg-deb -x dataset-fashion-mnist_*.deb .
venv/bin/python -W ignore - <<'PYTHON'
import glob
import gzip

import numpy as np

with gzip.open(glob.glob("usr/share/datasets/fashion-mnist/train-images*.gz")[0]) as file:
    x = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 28, 28)
border = np.concatenate([x[:, 0], x[:, -1], x[:, :, 0], x[:, :, -1]], axis=1)
touching = int((border > 0).any(1).sum())
inside = np.zeros((28, 28), bool)
inside[4:24, 4:24] = True
fits = int((x[:, ~inside] == 0).all(1).sum())
strong = int((border >= 64).any(1).sum())
edge = np.zeros((28, 28), bool)
edge[:2] = edge[-2:] = edge[:, :2] = edge[:, -2:] = True
cut = int((x[:, edge] > 0).any(1).sum())
haze = float((((x > 0) & (x <= 3)).sum((1, 2)) > 5).mean())
print(f"{len(x)} images, ink in the outermost pixels {touching} (of value 64 and more {strong}), all within the middle 20 x 20: {fits}")
print(f"ink within two pixels of the frame: {cut}")
print(f"more than five pixels of value 1 to 3: {haze:.1%}; pixels of value 1 to 8 among those above 0: {((x > 0) & (x <= 8)).sum() / (x > 0).sum():.1%}")
assert len(x) == 60_000 and touching > 59_900 and fits == 0 and cut == len(x)
assert 0.75 < haze < 0.85
PYTHON
# Seen on Debian 12, Python 3.11, amd64:
#   60000 images, ink in the outermost pixels 59979 (of value 64 and more 57211), all within the middle 20 x 20: 0
#   ink within two pixels of the frame: 60000
#   more than five pixels of value 1 to 3: 80.4%; pixels of value 1 to 8 among those above 0: 5.9%
