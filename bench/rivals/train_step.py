"""Training step of ResNet-18 with SimCLR's head and loss: kith (oneDNN, own kernels) against PyTorch eager, channels-last, the
same processors and threads, in turns. Both sides: forward, NT-Xent, backward, SGD with momentum; in f32, and, where the
processor multiplies it, in bf16 (PyTorch: autocast).

    taskset -c 0,1 python bench/rivals/train_step.py       # needs build/cpu/bench/nn/bench_train_step
"""
import sys

import common

THREADS = common.pin(2)

import torch  # noqa: E402
import torch.nn.functional as F  # noqa: E402

sys.path.insert(0, str(common.ROOT / "tests/golden"))
from resnet_model import ContrastiveModel  # noqa: E402

torch.set_num_threads(THREADS)

CASES = [(16, 256, 32, 3), (64, 64, 32, 3), (16, 512, 16, 3), (16, 512, 14, 1)]  # width, views, side, channels
ROUNDS = 5
FORMATS = {"f32": 0, "bf16": 2}  # the benchmark's numbers for them


def ours(width, views, side, channels, precision, min_time):
    """One sample: mean step in milliseconds over at least so many seconds."""
    name = f"train_step/width:{width}/views:{views}/side:{side}/channels:{channels}/format:{FORMATS[precision]}"
    return common.ours("train_step", name, min_time, folder="nn")


def rival(width, views, side, channels, precision):
    model = ContrastiveModel(width=width, in_channels=channels).to(memory_format=torch.channels_last)
    optimiser = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, weight_decay=1e-4)
    images = torch.randn(views, channels, side, side).to(memory_format=torch.channels_last)
    diagonal, positive = torch.eye(views, dtype=torch.bool), torch.arange(views) ^ 1

    def step():
        optimiser.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == "bf16"):
            _, z = model(images)
            loss = F.cross_entropy((z @ z.T / 0.1).masked_fill(diagonal, float("-inf")), positive)
        loss.backward()
        optimiser.step()

    for _ in range(3):
        step()
    return step


def samplers(case, precision, min_time):
    step = rival(*case, precision)
    return {f"kith {precision}": lambda: ours(*case, precision, min_time),
            f"pytorch {precision}": lambda: common.timed(step, min_time)}


def compare(case, rounds, precisions, min_time=1.0):
    sides = {}
    for precision in precisions:
        sides |= samplers(case, precision, min_time)
    result = common.interleaved(sides, rounds)
    width, views, side, channels = case
    images_per_s = {name: round(1e3 * views / result[name]["wall_ms"]["min"], 1) for name in result}
    ratios = {p: common.ratio(result, f"pytorch {p}", f"kith {p}") for p in precisions}
    return {"width": width, "views": views, "side": side, "channels": channels, "images_per_s": images_per_s,
            "pytorch_over_kith": ratios, "samples": result}


def main():
    common.write("train_step", THREADS, {"torch": torch.__version__},
                 [compare(case, ROUNDS, common.precisions()) for case in CASES])


if __name__ == "__main__":
    main()
