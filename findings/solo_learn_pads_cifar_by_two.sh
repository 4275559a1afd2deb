#!/usr/bin/env bash
# Guess: a "CIFAR ResNet" of any library has a 3x3 convolution of stride 1 that keeps the size in place of the 7x7 stem, so that weights
# of one fit the other.
# Really: solo-learn's pads by 2. An image of 32x32 becomes 34x34, and the four stages see 34, 17, 9, 5 in place of 32, 16, 8, 4. Names and
# shapes of all tensors are the same, so its weights load anywhere without a word and give other features.
# Meets: whoever takes solo-learn's CIFAR weights to another code base, or compares accuracies and speeds.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check torch==2.13.0 numpy==2.4.6
"$place/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check --no-deps solo-learn==1.0.2
"$place/venv/bin/python" -W ignore - <<'PYTHON'
import ast
import importlib.metadata as metadata

import torch
from torch import nn

print("solo-learn", metadata.version("solo-learn"), " torch", torch.__version__)
# Its stem for CIFAR, as its own source builds it; the whole package would want Lightning and more.
source = next(f for f in metadata.files("solo-learn") if str(f) == "solo/methods/base.py").read_text()
stems = [ast.unparse(node.value) for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Assign)
         and ast.unparse(node.targets[0]) == "self.encoder.conv1"]
print("its stem:", *stems)
(theirs,) = (eval(stem, {"nn": nn}) for stem in stems)
usual = nn.Conv2d(3, 64, kernel_size=3, stride=1, padding=1, bias=False)
usual.load_state_dict(theirs.state_dict())  # fits
sides = {}
for name, stem in (("solo-learn", theirs), ("usual", usual)):
    y = stem(torch.rand(1, 3, 32, 32))
    sides[name] = [y.shape[-1]]
    for _ in range(3):
        y = nn.functional.conv2d(y, torch.rand(1, y.shape[1], 3, 3), stride=2, padding=1)
        sides[name].append(y.shape[-1])
    print(f"{name:10} sides of the four stages: {sides[name]}")
assert sides == {"solo-learn": [34, 17, 9, 5], "usual": [32, 16, 8, 4]}
PYTHON
# Seen on Debian 12, Python 3.11, amd64:
#   solo-learn 1.0.2  torch 2.13.0+cpu
#   its stem: nn.Conv2d(3, 64, kernel_size=3, stride=1, padding=2, bias=False)
#   solo-learn sides of the four stages: [34, 17, 9, 5]
#   usual      sides of the four stages: [32, 16, 8, 4]
