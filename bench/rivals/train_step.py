"""Training step of ResNet-18 with SimCLR's head and loss: kith (oneDNN, own kernels) against PyTorch eager, channels-last, the
same processors and threads, in turns. Both sides: forward, NT-Xent, backward, SGD with momentum; in f32, and, where the
processor multiplies it, in bf16 (PyTorch: autocast).

    taskset -c 0,1 python bench/rivals/train_step.py       # needs build/cpu/bench/nn/bench_train_step
"""
import json
import subprocess
import sys

import common

THREADS = common.pin(2)

import torch  # noqa: E402
import torch.nn.functional as F  # noqa: E402

sys.path.insert(0, str(common.ROOT / "tests/golden"))
from resnet_model import ContrastiveModel  # noqa: E402

CASES = [(16, 256, 32, 3), (64, 64, 32, 3), (16, 512, 16, 3), (16, 512, 14, 1)]  # width, views, side, channels
ROUNDS = 5


FORMATS = {"f32": 0, "bf16": 2}  # the benchmark's numbers for them


def ours(width, views, side, channels, precision):
    """One sample: mean step in milliseconds over at least a second."""
    name = f"train_step/width:{width}/views:{views}/side:{side}/channels:{channels}/format:{FORMATS[precision]}/"
    command = [common.BUILD / "bench/nn/bench_train_step", f"--benchmark_filter=^{name}", "--benchmark_format=json",
               "--benchmark_min_time=1"]
    (row,) = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)["benchmarks"]
    if row.get("error_occurred"):
        sys.exit(f"{name}: {row['error_message']}")
    return {"wall_ms": row["real_time"], "cpu_ms": row["cpu_time"]}


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


def samplers(case, precision):
    step = rival(*case, precision)
    return {f"kith {precision}": lambda: ours(*case, precision),
            f"pytorch {precision}": lambda: common.timed(step, 1.0)}


def main():
    torch.set_num_threads(THREADS)
    precisions = ["f32", "bf16"] if common.has_flag("avx512_bf16") or common.has_flag("amx_bf16") else ["f32"]
    rows = []
    for case in CASES:
        sides = {}
        for precision in precisions:
            sides |= samplers(case, precision)
        result = common.interleaved(sides, ROUNDS)
        width, views, side, channels = case
        images_per_s = {name: round(1e3 * views / result[name]["wall_ms"]["min"], 1) for name in result}
        ratios = {p: common.ratio(result, f"pytorch {p}", f"kith {p}") for p in precisions}
        rows.append({"width": width, "views": views, "side": side, "channels": channels, "images_per_s": images_per_s,
                     "pytorch_over_kith": ratios, "samples": result})
    common.write("train_step", THREADS, {"torch": torch.__version__}, rows)


main()
