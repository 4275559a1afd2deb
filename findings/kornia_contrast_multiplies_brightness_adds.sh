#!/usr/bin/env bash
# Guess: kornia's RandomContrast changes the contrast about the mean and RandomBrightness multiplies, as ColorJitter, Pillow and torchvision do.
# Really: RandomContrast multiplies, which halves the mean along with the deviation, and RandomBrightness adds the factor less 1 and cuts: 0.5 takes half of the
# range away and makes 86 % of a photograph black. ColorJiggle, with the arguments of ColorJitter, does both: at SimCLR's strengths (.8, .8, .8, .2)
# 37 % of the numbers of its views are 0 or 1 and 12 % of the views blank, 8 % and 1 % of ColorJitter's, which is as Pillow's. Nothing is said.
# Meets: views for SimCLR, BYOL and SCAN made on the GPU, strengths of augmentation copied from papers.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check kornia==0.9.0 torch==2.13.0 pillow==13.0.0 scikit-learn==1.9.1 scipy==1.17.1 numpy==2.4.6
"$place/venv/bin/python" -W ignore - <<'PYTHON'
from importlib.metadata import version

import kornia.augmentation as K
import numpy as np
import torch
from PIL import Image, ImageEnhance
from sklearn.datasets import load_sample_image

print("  ".join(f"{name} {version(name)}" for name in ("kornia", "torch", "pillow")))
torch.manual_seed(0)
pixels = np.ascontiguousarray(load_sample_image("flower.jpg")[::2, ::2])
photograph = torch.from_numpy(pixels).permute(2, 0, 1)[None] / 255
gray = torch.tensor([0.299, 0.587, 0.114]).view(3, 1, 1)
ways = {
    "contrast": (K.RandomContrast((0.5, 0.5), p=1.0), K.ColorJiggle(contrast=(0.5, 0.5), p=1.0), K.ColorJitter(contrast=(0.5, 0.5), p=1.0), ImageEnhance.Contrast),
    "brightness": (K.RandomBrightness((0.5, 0.5), p=1.0), K.ColorJiggle(brightness=(0.5, 0.5), p=1.0), K.ColorJitter(brightness=(0.5, 0.5), p=1.0), ImageEnhance.Brightness),
}


def told(view):
    return (view * gray).sum(1).mean().item(), view.std().item(), (view == 0).float().mean().item()


print("photograph: mean of luma {:.3f}, deviation {:.3f}, black {:.2f}".format(*told(photograph)))
for name, (alone, jiggle, jitter, pillow) in ways.items():
    views = {type(each).__name__: each(photograph) for each in (alone, jiggle, jitter)}
    views["Pillow"] = torch.from_numpy(np.array(pillow(Image.fromarray(pixels)).enhance(0.5))).permute(2, 0, 1)[None] / 255
    for maker, view in views.items():
        print(f"{name} 0.5, {maker}: mean " + "{:.3f}, deviation {:.3f}, black {:.2f}".format(*told(view)))
    alone, jiggle, jitter, pillow = views.values()
    assert torch.equal(alone, jiggle) and (jitter - pillow).abs().max() < 2.5 / 255
    assert torch.allclose(alone, photograph * 0.5 if name == "contrast" else (photograph - 0.5).clamp(0, 1), atol=1e-6)

cut = {}
for maker in (K.ColorJiggle, K.ColorJitter):
    torch.manual_seed(0)
    views = maker(0.8, 0.8, 0.8, 0.2, p=1.0)(photograph[..., :128, :128].repeat(500, 1, 1, 1))
    cut[maker] = ((views <= 0) | (views >= 1)).float().mean().item()
    blank = (views.flatten(1).std(1) < 0.02).float().mean().item()
    print(f"500 views with a strength of 0.8, {maker.__name__}: {cut[maker]:.3f} of the numbers are 0 or 1, {blank:.3f} of the views are blank")
assert cut[K.ColorJiggle] > 1.3 * cut[K.ColorJitter]
PYTHON
# Seen on Debian 12, Python 3.11, amd64:
#   kornia 0.9.0  torch 2.13.0+cpu  pillow 13.0.0
#   photograph: mean of luma 0.260, deviation 0.241, black 0.09
#   contrast 0.5, RandomContrast: mean 0.130, deviation 0.120, black 0.09
#   contrast 0.5, ColorJiggle: mean 0.130, deviation 0.120, black 0.09
#   contrast 0.5, ColorJitter: mean 0.260, deviation 0.120, black 0.00
#   contrast 0.5, Pillow: mean 0.258, deviation 0.120, black 0.00
#   brightness 0.5, RandomBrightness: mean 0.036, deviation 0.097, black 0.86
#   brightness 0.5, ColorJiggle: mean 0.036, deviation 0.097, black 0.86
#   brightness 0.5, ColorJitter: mean 0.130, deviation 0.120, black 0.09
#   brightness 0.5, Pillow: mean 0.129, deviation 0.120, black 0.14
#   500 views with a strength of 0.8, ColorJiggle: 0.373 of the numbers are 0 or 1, 0.118 of the views are blank
#   500 views with a strength of 0.8, ColorJitter: 0.078 of the numbers are 0 or 1, 0.006 of the views are blank
