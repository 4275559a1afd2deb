#!/usr/bin/env bash
# Guess: byol-pytorch's BYOL, given a batch of pictures, draws an augmentation for each of them, as in the paper.
# Really: its augmentations are torchvision's, called once with the whole batch, and those draw once for what they are given: all pictures of a batch are
# cropped at the same place, flipped, blurred, made gray and changed in colour alike. 800 pictures in 50 batches get 50 different augmentations, one by
# one 797; in 13 of the batches all pictures are gray, in the others none. The two views of a batch differ, and nothing is said; augmentations given as
# augment_fn are called in the same way.
# Meets: BYOL and SimSiam trained with this package, features compared with those of other implementations.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check torch==2.13.0 numpy==2.4.6 pillow==13.0.0 accelerate==1.15.0 beartype==0.23.1 einops==0.8.2
"$place/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check --no-deps byol-pytorch==0.9.1 torchvision==0.28.0
"$place/venv/bin/python" - <<'PYTHON'
import random
import sys
from importlib.metadata import version

import torch

try:
    import torchvision
except RuntimeError:  # one built for CUDA beside a torch for the CPU: its own operators do not load, and none is needed here
    for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
        del sys.modules[name]
    operators = torch.library.Library("torchvision", "FRAGMENT")
    for name in ("nms", "qnms"):
        operators.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
from byol_pytorch import BYOL
from torch import nn

print("  ".join(f"{name} {version(name)}" for name in ("byol-pytorch", "torch", "torchvision")))
torch.manual_seed(0)
random.seed(0)  # whether colour and blur are applied is drawn by Python
net = nn.Sequential(nn.Conv2d(3, 16, 3, 2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 32))
learner = BYOL(net, image_size=32, hidden_layer=-1)
seen = []
net.register_forward_pre_hook(lambda _, given: seen.append(given[0].detach()))
picture = torch.rand(3, 32, 32)
batch = picture.repeat(16, 1, 1, 1)  # sixteen times the same: each view tells its augmentation


def different(views):
    return len(torch.unique(views.flatten(1), dim=0))


def gray(views):
    scale = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
    pixels = views * scale + torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
    return (pixels.amax(1) - pixels.amin(1) < 1e-5).flatten(1).all(1)


steps = 50
for _ in range(steps):
    seen.clear()
    learner(batch).backward()
    first, second = seen[0][:16], seen[0][16:]
    assert different(first) == different(second) == 1 and not torch.equal(first, second)
print(f"{steps} steps of 16 pictures: one view for all of a batch, another one for the second view, in every step")
together = torch.cat([learner.augment1(batch) for _ in range(steps)])
alone = torch.cat([learner.augment1(picture[None]) for _ in range(16 * steps)])
for name, views in {"called with batches": together, "called with each picture": alone}.items():
    greys = gray(views).view(steps, 16)
    print(f"{name}: {different(views)} different views of {len(views)}, gray {greys.float().mean():.3f} of them, "
          f"all or none of a batch in {(greys.all(1) | ~greys.any(1)).float().mean():.2f} of the batches")
assert different(together) == steps and different(alone) > 15 * steps
PYTHON
# Seen on Debian 12, Python 3.11, amd64:
#   byol-pytorch 0.9.1  torch 2.13.0+cpu  torchvision 0.28.0
#   50 steps of 16 pictures: one view for all of a batch, another one for the second view, in every step
#   called with batches: 50 different views of 800, gray 0.260 of them, all or none of a batch in 1.00 of the batches
#   called with each picture: 797 different views of 800, gray 0.214 of them, all or none of a batch in 0.02 of the batches
