"""One step of the optimiser over all tensors of ResNet-18 (11 M weights): kith against PyTorch's fused and foreach optimisers, and
those as CUDA graphs. kith also writes the bf16 copies of the weights, which PyTorch's leave to the next forward pass.

    KITH_TREE=build/cuda python bench/rivals/gpu_optim.py optim.json
"""

import sys

import gpu_common

args = gpu_common.start(__doc__)
import torch

sys.path.insert(0, str(gpu_common.common.ROOT / "tests/golden"))
from resnet_model import ResNet  # noqa: E402

c = gpu_common.Comparison("optim", args, "kith writes bf16 copies of the weights in the same pass")
WIDTH = 64 if c.cuda else 16


def optimiser(kind, graph, **options):
    def make():
        weights = list(ResNet(width=WIDTH).to(c.device).parameters())
        for w in weights:
            w.grad = torch.randn_like(w)
        if kind is torch.optim.Adam and graph:
            options["capturable"] = True
        step = kind(weights, lr=1e-3, weight_decay=0.0625, **options).step
        return c.graphed(step) if graph else step

    return make


def average():
    weights = [w.detach() for w in ResNet(width=WIDTH).to(c.device).parameters()]
    averages = [torch.zeros_like(w) for w in weights]
    return lambda: torch._foreach_lerp_(averages, weights, 0.25)


def rivals(kind, **options):
    made = {"fused": optimiser(kind, False, fused=True, **options), "foreach": optimiser(kind, False, foreach=True, **options)}
    if c.cuda:
        made["fused, graph"] = optimiser(kind, True, fused=True, **options)
    return made


c.compare("optim", [("SGD", [f"sgd_step/{WIDTH}"], rivals(torch.optim.SGD, momentum=0.875)),
                    ("Adam", [f"adam_step/{WIDTH}"], rivals(torch.optim.Adam)),
                    ("average of weights", [f"ema_step/{WIDTH}"], {"foreach": average})])
c.finish()
