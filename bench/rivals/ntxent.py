"""NT-Xent forward + backward against PyTorch eager, in f32, and, where the processor multiplies it, in bf16 (PyTorch: autocast).

    python bench/rivals/ntxent.py [rounds]
"""

import common

threads = common.pin(2)
import torch
import torch.nn.functional as F

torch.set_num_threads(threads)
TAU = 0.1


def rival(rows, dim, precision):
    z = F.normalize(torch.randn(rows, dim)).requires_grad_()
    diagonal, partner = torch.eye(rows, dtype=torch.bool), torch.arange(rows) ^ 1

    def step():
        z.grad = None
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == "bf16"):
            s = (z @ z.T / TAU).masked_fill(diagonal, float("-inf"))
            loss = F.cross_entropy(s, partner)
        loss.backward()

    step()
    return step


def samplers(rows, dim, precision):
    step = rival(rows, dim, precision)
    name = f"ntxent_forward_backward/{rows}/{dim}/{['f32', 'bf16'].index(precision)}"
    return {f"kith {precision}": lambda: common.ours("ntxent", name),
            f"pytorch {precision}": lambda: common.timed(step)}


def compare(rows, dim, rounds, precisions):
    sides = {}
    for precision in precisions:
        sides |= samplers(rows, dim, precision)
    result = common.interleaved(sides, rounds)
    return {"rows": rows, "dim": dim, "times": result,
            "pytorch / kith": {p: common.ratio(result, f"pytorch {p}", f"kith {p}") for p in precisions}}


def main():
    rounds = common.rounds(7)
    common.write("ntxent", threads, {"torch": torch.__version__},
                 [compare(rows, 128, rounds, common.precisions()) for rows in (512, 1024, 4096)])


if __name__ == "__main__":
    main()
