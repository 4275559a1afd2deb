"""The training step of SimCLR's ResNet-18 (network, NT-Xent, backward, SGD; images lie on the device): kith against PyTorch,
channels-last, bf16 autocast or TF32, eager, as a CUDA graph, and compiled.

    KITH_TREE=build/cuda python bench/rivals/gpu_train_step.py train_step.json [--max-autotune]
"""

import sys

import gpu_common

args = gpu_common.start(__doc__)
import torch
import torch.nn.functional as F

sys.path.insert(0, str(gpu_common.common.ROOT / "tests/golden"))
from resnet_model import ContrastiveModel  # noqa: E402

c = gpu_common.Comparison("train_step", args, "views are images; kith replays the step as one graph but where it says 'no graph'")
BF16, TF32 = 2, 1  # as in bench/nn/train_step.cpp


class Step(torch.nn.Module):
    """Loss of a batch of views, rows 2a and 2a + 1 of one image."""

    def __init__(self, width, channels, half):
        super().__init__()
        self.model, self.half = ContrastiveModel(width=width, in_channels=channels), half

    def forward(self, images, diagonal, partner):
        with torch.autocast(images.device.type, torch.bfloat16, enabled=self.half):
            _, z = self.model(images)
            s = z @ z.T / 0.1
        return F.cross_entropy(s.float().masked_fill(diagonal, float("-inf")), partner)


def rival(case, kind, mode=None):
    width, views, side, channels, precision = case

    def make():
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = precision == TF32
        torch.backends.cudnn.benchmark = True
        net = Step(width, channels, precision == BF16).to(c.device, memory_format=torch.channels_last)
        fused = {"fused": True} if c.cuda else {}
        optimiser = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9, weight_decay=1e-4, **fused)
        images = torch.randn(views, channels, side, side, device=c.device).to(memory_format=torch.channels_last)
        diagonal = torch.eye(views, dtype=torch.bool, device=c.device)
        partner = torch.arange(views, device=c.device) ^ 1
        f = net if mode is None else torch.compile(net, mode=mode, dynamic=False)

        def step():
            optimiser.zero_grad(set_to_none=True)
            f(images, diagonal, partner).backward()
            optimiser.step()

        return c.graphed(step) if kind == "graph" else step

    return make


def rivals(case):
    made = {"eager": rival(case, "eager"), "eager, graph": rival(case, "graph")}
    if not c.cuda:
        del made["eager, graph"]
    if case[4] == TF32:
        return made  # compiled in bf16 alone: it takes minutes
    return made | {name: rival(case, "compiled", mode) for name, mode in c.compile_modes().items()}


def name(case, graph):
    width, views, side, channels, precision = case
    ours = f"train_step/width:{width}/views:{views}/side:{side}/channels:{channels}"
    return ours + (f"/format:{precision}/graph:{graph}" if c.cuda else "")


def comparisons():
    if not c.cuda:
        case = (16, 512, 14, 1, 0)
        return [("512 views of 14 x 14, width 16, f32", [name(case, 1)], rivals(case))]
    bf16, tf32 = (64, 1024, 32, 3, BF16), (64, 1024, 32, 3, TF32)
    return [("1024 views, bf16", [name(bf16, 1)], rivals(bf16)), ("1024 views, bf16, no graph", [name(bf16, 0)], {}),
            ("1024 views, TF32", [name(tf32, 1)], rivals(tf32))]


c.compare("train_step", comparisons())
for row in c.rows:
    views = int(row["case"].split()[0])
    row["views_per_s"] = {who: round(views / us * 1e6) for who, us in row["us"].items()}
c.write()
c.finish()
