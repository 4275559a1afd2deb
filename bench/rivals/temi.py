"""Training steps of TEMI on features, `kith cluster --features --method temi`, against PyTorch: the heads one after the other, as the
authors' code has them, and stacked, so that each layer of all heads is one batched product.

    python bench/rivals/temi.py [rounds]

60,000 rows of 128 dimensions, 16 heads of 512 and 256, 10 clusters, steps of 512 rows and a neighbour of each, AdamW, the moving
average of all weights. kith's time is that of its second and third epoch, by its own log; the search of neighbours is no part of
either side.
"""
import json
import math
import subprocess
import tempfile
from pathlib import Path

import common

threads = common.pin(2)
import numpy as np
import torch
import torch.nn.functional as F

torch.set_num_threads(threads)
ROWS, DIM, HEADS, HIDDEN, NECK, CLASSES, BATCH = 60_000, 128, 16, 512, 256, 10, 512
TEMPERATURE, BETA, MOMENTUM, EMA = 0.1, 0.6, 0.9, 0.996


def features():
    """Rows with ten centres: neighbours mean something."""
    rng = np.random.default_rng(3)
    rows = rng.normal(size=(10, DIM))[rng.integers(10, size=ROWS)] + 0.5 * rng.normal(size=(ROWS, DIM))
    return rows.astype(np.float32)


def parameters(heads):
    """hidden, neck, direction and gain of the last layer, each with a leading axis of heads."""
    def weight(out, inner):
        return 0.02 * torch.randn(heads, out, inner)

    return [weight(HIDDEN, DIM), torch.zeros(heads, 1, HIDDEN), weight(NECK, HIDDEN), torch.zeros(heads, 1, NECK),
            torch.empty(heads, CLASSES, NECK).uniform_(-1 / math.sqrt(NECK), 1 / math.sqrt(NECK)), torch.ones(heads, CLASSES, 1)]


def logits(p, x):
    """[heads, rows, classes] of rows [2 n, dim]."""
    h = F.gelu(x @ p[0].transpose(1, 2) + p[1])
    h = F.normalize(h @ p[2].transpose(1, 2) + p[3], dim=2)
    return h @ (F.normalize(p[4], dim=2) * p[5]).transpose(1, 2)


def losses(student, teacher, prior):
    student, teacher = (z.unflatten(1, (2, -1)) for z in (student, teacher))
    log_t = F.log_softmax(teacher / TEMPERATURE, -1)
    q = log_t.exp()
    moved = MOMENTUM * prior + (1 - MOMENTUM) * q.mean((1, 2))
    weight = (q[:, 0] * q[:, 1]).sum(-1).mean(0)
    log_s = F.log_softmax(student / TEMPERATURE, -1)
    log_r = torch.logsumexp(BETA * (log_t.flip(1) + log_s) - moved.log()[:, None, None], -1)
    return -(weight * log_r).mean((1, 2)), moved


def rival(x, stacked):
    """A function that makes one step. Groups of heads: all in one, or one in each."""
    torch.manual_seed(7)
    groups = [parameters(HEADS)] if stacked else [parameters(1) for _ in range(HEADS)]
    students = [[p.requires_grad_() for p in g] for g in groups]
    teachers = [[p.detach().clone() for p in g] for g in groups]
    all_students, all_teachers = sum(students, []), sum(teachers, [])
    optimiser = torch.optim.AdamW(all_students, lr=1e-4, weight_decay=1e-4, fused=True)
    prior = torch.full((HEADS, CLASSES), 1 / CLASSES)
    near = torch.randint(ROWS, (ROWS,))

    def step():
        nonlocal prior
        index = torch.randint(ROWS, (BATCH,))
        rows = x[torch.cat([index, near[index]])]
        optimiser.zero_grad()
        with torch.no_grad():
            teacher = torch.cat([logits(p, rows) for p in teachers])
        each, moved = losses(torch.cat([logits(p, rows) for p in students]), teacher, prior)
        prior = moved.detach()
        each.mean().backward()
        optimiser.step()
        with torch.no_grad():
            torch._foreach_lerp_(all_teachers, all_students, 1 - EMA)

    for _ in range(3):
        step()
    return step


def ours(file):
    """Milliseconds of a step over two epochs."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        subprocess.run([common.BUILD / "apps/kith", "cluster", "--features", file, "--clusters", str(CLASSES), "--method", "temi",
                        "--set", "epochs=3", "--set", f"batch={BATCH}", "--set", f"heads={HEADS}", "--set", "neighbours=5",
                        "--threads", str(threads), "--out", out], check=True, capture_output=True)
        lines = [json.loads(line) for line in open(out / "metrics.jsonl")]
        ends = [line["seconds"] for line in lines if line.get("epoch") and "loss" in line]
    return {"wall_ms": 1e3 * (ends[-1] - ends[0]) / (2 * (ROWS // BATCH)), "cpu_ms": float("nan")}


def main():
    rounds = common.rounds(2)
    rows = features()
    x = torch.from_numpy(rows)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "F.npy"
        np.save(file, rows)
        one, all_in_one = rival(x, False), rival(x, True)
        result = common.interleaved({"kith": lambda: ours(file), "pytorch, head by head": lambda: common.timed(one, 3.0),
                                     "pytorch, stacked": lambda: common.timed(all_in_one, 3.0)}, rounds)
    kith = result["kith"]["wall_ms"]["min"]
    common.write("temi", threads, {"torch": torch.__version__},
                 [{"rows": ROWS, "dim": DIM, "heads": HEADS, "classes": CLASSES, "batch": BATCH,
                   "wall_ms": {name: side["wall_ms"] for name, side in result.items()},
                   "pytorch / kith": {name: round(side["wall_ms"]["min"] / kith, 2) for name, side in result.items() if name != "kith"}}])


if __name__ == "__main__":
    main()
