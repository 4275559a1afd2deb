"""NT-Xent forward + backward against PyTorch eager. Run: python bench/rivals/ntxent.py [rounds]"""

import common

threads = common.pin(2)
import torch
import torch.nn.functional as F

torch.set_num_threads(threads)
TAU = 0.1


def rival(rows, dim):
    z = F.normalize(torch.randn(rows, dim)).requires_grad_()
    diagonal, partner = torch.eye(rows, dtype=torch.bool), torch.arange(rows) ^ 1

    def step():
        z.grad = None
        s = (z @ z.T / TAU).masked_fill(diagonal, float("-inf"))
        F.cross_entropy(s, partner).backward()

    return step


def compare(rows, dim, rounds):
    step = rival(rows, dim)
    step()
    result = common.interleaved(
        {"kith": lambda: common.ours("ntxent", f"ntxent_forward_backward/{rows}/{dim}/0"),
         "pytorch": lambda: common.timed(step)}, rounds)
    return {"rows": rows, "dim": dim, "times": result, "pytorch / kith": common.ratio(result, "pytorch", "kith")}


rounds = common.rounds(7)
common.write("ntxent", threads, {"torch": torch.__version__}, [compare(rows, 128, rounds) for rows in (512, 1024, 4096)])
