#!/usr/bin/env bash
# Guess: kornia.augmentation's RandomResizedCrop and Resize resize as torchvision's, whose names they have: the edges of the pictures stay aligned, and
# what is made smaller is averaged.
# Really: the centres of the corner pixels are laid on each other (align_corners=True, which kornia.geometry.resize and PyTorch have off), and between two
# pixels each way all others are skipped: of a crop of 384 pixels shrunk to 96, stripes with a mean of 0.25 become waves from 0 to 1 with a mean of
# 0.17, and noise keeps 0.67 of its deviation instead of 0.16. Enlarging 32 to 224 moves the content by up to 3 pixels. Resize can be told to average
# (antialias=True), RandomResizedCrop cannot; LongestMaxSize and SmallestMaxSize are as Resize. No warning.
# Meets: views for SimCLR, BYOL and SCAN made on the GPU, beside test pictures resized by torchvision or Pillow.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check kornia==0.9.0 torch==2.13.0 pillow==13.0.0 numpy==2.4.6
"$place/venv/bin/python" -W error - <<'PYTHON'
from importlib.metadata import version

import kornia
import numpy as np
import torch
from kornia.augmentation import LongestMaxSize, RandomResizedCrop, Resize, SmallestMaxSize
from PIL import Image

print("  ".join(f"{name} {version(name)}" for name in ("kornia", "torch", "pillow", "numpy")))
torch.manual_seed(0)


def ways(size):
    whole = {"scale": (1.0, 1.0), "ratio": (1.0, 1.0), "p": 1.0}
    return {
        "RandomResizedCrop": RandomResizedCrop((size, size), **whole),
        "RandomResizedCrop, resample": RandomResizedCrop((size, size), cropping_mode="resample", **whole),
        "Resize": Resize((size, size)),
        "LongestMaxSize": LongestMaxSize(size),
        "SmallestMaxSize": SmallestMaxSize(size),
        "Resize, antialias": Resize((size, size), antialias=True),
        "geometry.resize": lambda x: kornia.geometry.resize(x, (size, size)),
        "PyTorch": lambda x: torch.nn.functional.interpolate(x, (size, size), mode="bilinear"),
        "PyTorch, antialias": lambda x: torch.nn.functional.interpolate(x, (size, size), mode="bilinear", antialias=True),
        "Pillow": lambda x: torch.from_numpy(np.array(Image.fromarray(x[0, 0].numpy()).resize((size, size), Image.BILINEAR)))[None, None],
    }


stripes = torch.zeros(1, 1, 384, 384)
stripes[..., ::4] = 1
noise = torch.randn(1, 1, 384, 384)
wide = torch.arange(32.0).expand(1, 1, 32, 32).contiguous()
places = (torch.arange(224) + 0.5) / 7 - 0.5  # where the pixels of the enlarged picture lie, edges aligned
inner = (places > 0) & (places < 31)
for (name, shrink), enlarge in zip(ways(96).items(), ways(224).values()):
    small, grain = shrink(stripes), shrink(noise).std().item()
    moved = 7 * (enlarge(wide)[0, 0, 100] - places)[inner].abs().max().item()
    print(f"{name}: stripes {small.mean():.2f} in {small.min():.2f} to {small.max():.2f}, noise of deviation {grain:.2f}; "
          f"32 to 224 moves by {moved:.1f} pixels")
    corners = name not in ("geometry.resize", "PyTorch", "PyTorch, antialias", "Pillow")
    assert (moved > 2.5) == corners and corners == (moved > 0.1)
    if name.endswith("antialias") or name == "Pillow":
        assert grain < 0.3 and abs(small.mean().item() - 0.25) < 0.01
    elif corners:
        assert abs(small.mean().item() - 0.25) > 0.05 and small.max() - small.min() > 0.99 and grain > 0.6
PYTHON
# Seen on Debian 12, Python 3.11, amd64:
#   kornia 0.9.0  torch 2.13.0+cpu  pillow 13.0.0  numpy 2.4.6
#   RandomResizedCrop: stripes 0.17 in 0.00 to 1.00, noise of deviation 0.67; 32 to 224 moves by 2.9 pixels
#   RandomResizedCrop, resample: stripes 0.17 in 0.00 to 1.00, noise of deviation 0.67; 32 to 224 moves by 2.9 pixels
#   Resize: stripes 0.17 in 0.00 to 1.00, noise of deviation 0.67; 32 to 224 moves by 2.9 pixels
#   LongestMaxSize: stripes 0.17 in 0.00 to 1.00, noise of deviation 0.67; 32 to 224 moves by 2.9 pixels
#   SmallestMaxSize: stripes 0.17 in 0.00 to 1.00, noise of deviation 0.67; 32 to 224 moves by 2.9 pixels
#   Resize, antialias: stripes 0.24 in 0.07 to 0.27, noise of deviation 0.19; 32 to 224 moves by 2.9 pixels
#   geometry.resize: stripes 0.00 in 0.00 to 0.00, noise of deviation 0.50; 32 to 224 moves by 0.0 pixels
#   PyTorch: stripes 0.00 in 0.00 to 0.00, noise of deviation 0.50; 32 to 224 moves by 0.0 pixels
#   PyTorch, antialias: stripes 0.25 in 0.18 to 0.29, noise of deviation 0.16; 32 to 224 moves by 0.0 pixels
#   Pillow: stripes 0.25 in 0.18 to 0.29, noise of deviation 0.16; 32 to 224 moves by 0.0 pixels
