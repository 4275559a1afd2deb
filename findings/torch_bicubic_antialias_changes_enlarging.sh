#!/usr/bin/env bash
# Guess: antialias=True of torch's interpolate matters when a picture shrinks and does nothing when it grows, as with bilinear.
# Really: with mode="bicubic" the switch also exchanges the kernel: a = -0.75 without it (OpenCV's), a = -0.5 with it (Pillow's).
# Enlarging to twice the size then differs by up to 0.07 of the range. Neither is "the" bicubic filter; bilinear agrees.
# Meets: whoever enlarges 28 or 32 pixel images for a network of 224, and mixes tensors, Pillow and OpenCV in training and evaluation.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check torch==2.13.0 pillow==13.0.0 opencv-python-headless==5.0.0.93 numpy==2.4.6
cd "$place"
venv/bin/python -W ignore - <<'PYTHON'
import cv2
import numpy as np
import PIL
import torch
from PIL import Image
from torch.nn.functional import interpolate

print("torch", torch.__version__, " Pillow", PIL.__version__, " OpenCV", cv2.__version__)
small = np.random.default_rng(0).random((32, 32), dtype=np.float32)


def of_torch(mode, antialias):
    return interpolate(torch.tensor(small)[None, None], size=64, mode=mode, antialias=antialias)[0, 0].numpy()


pillow = np.asarray(Image.fromarray(small).resize((64, 64), Image.Resampling.BICUBIC))
opencv = cv2.resize(small, (64, 64), interpolation=cv2.INTER_CUBIC)
plain, smooth = of_torch("bicubic", False), of_torch("bicubic", True)
linear = abs(of_torch("bilinear", False) - of_torch("bilinear", True)).max()
print("largest difference after 32 -> 64, values in 0..1")
print(f"bilinear: antialias on against off {linear:.1e}")
print(f"bicubic:  antialias on against off {abs(plain - smooth).max():.3f}, mean {abs(plain - smooth).mean():.3f}")
for name, other in (("Pillow", pillow), ("OpenCV", opencv)):
    print(f"bicubic of {name}: against off {abs(plain - other).max():.1e}, against on {abs(smooth - other).max():.1e}")
assert linear < 1e-5
assert abs(plain - smooth).max() > 0.05
assert abs(smooth - pillow).max() < 1e-5 and abs(plain - opencv).max() < 1e-5
PYTHON
# Seen on Debian 12, Python 3.11, amd64:
#   torch 2.13.0+cpu  Pillow 13.0.0  OpenCV 5.0.0
#   largest difference after 32 -> 64, values in 0..1
#   bilinear: antialias on against off 1.2e-07
#   bicubic:  antialias on against off 0.067, mean 0.017
#   bicubic of Pillow: against off 6.7e-02, against on 1.2e-07
#   bicubic of OpenCV: against off 1.8e-07, against on 6.7e-02
