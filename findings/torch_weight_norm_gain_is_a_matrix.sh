#!/usr/bin/env bash
# Guess: the gain of torch.nn.utils.weight_norm on a linear layer is a vector, one number per output, so that the usual rule "no weight
# decay on parameters of fewer than two dimensions" leaves it alone, as it does biases and the weights of normalisation.
# Really: it is a matrix [out, 1], in the old function (weight_g) and in the new parametrization (original0) alike. The rule decays it:
# without a gradient the length of every row shrinks by the decay, while the bias of the same layer stays.
# Meets: whoever trains the heads of DINO, iBOT or TEMI (a weight-normed last layer) with parameter groups split by dimension, or
# reimplements them from "decay 1e-4, none on 1-D" in a paper.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check torch==2.13.0 numpy==2.4.6
"$place/venv/bin/python" -W ignore - <<'PYTHON'
import torch

print("torch", torch.__version__)
for name, wrap in (("weight_norm", torch.nn.utils.weight_norm), ("parametrizations.weight_norm", torch.nn.utils.parametrizations.weight_norm)):
    torch.manual_seed(0)
    layer = wrap(torch.nn.Linear(4, 3))
    with torch.no_grad():
        layer.bias.fill_(1)
    shapes = {n: tuple(p.shape) for n, p in layer.named_parameters()}
    print(name, shapes)
    gain = next(p for n, p in layer.named_parameters() if n.endswith(("weight_g", "original0")))
    assert gain.shape == (3, 1)
    groups = [{"params": [p for p in layer.parameters() if p.dim() >= 2], "weight_decay": 0.1},
              {"params": [p for p in layer.parameters() if p.dim() < 2], "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=1.0)
    before = layer(torch.zeros(1, 4)), layer.weight.norm(dim=1).detach().clone()
    for p in layer.parameters():
        p.grad = torch.zeros_like(p)  # nothing to learn
    optimizer.step()
    layer(torch.zeros(1, 4))  # the function computes the weight when it is called
    length = (layer.weight.norm(dim=1) / before[1]).detach()
    print("  length of rows after a step without gradient:", [round(v, 4) for v in length.tolist()], " bias:", layer.bias.tolist())
    assert torch.allclose(length, torch.full((3,), 0.9), atol=1e-6)
    assert layer.bias.tolist() == [1, 1, 1]
PYTHON
# Seen on Debian 12, Python 3.11, amd64:
#   torch 2.13.0+cpu
#   weight_norm {'bias': (3,), 'weight_g': (3, 1), 'weight_v': (3, 4)}
#     length of rows after a step without gradient: [0.9, 0.9, 0.9]  bias: [1.0, 1.0, 1.0]
#   parametrizations.weight_norm {'bias': (3,), 'parametrizations.weight.original0': (3, 1), 'parametrizations.weight.original1': (3, 4)}
#     length of rows after a step without gradient: [0.9, 0.9, 0.9]  bias: [1.0, 1.0, 1.0]
