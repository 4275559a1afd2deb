"""NT-Xent, forward and backward, products in bf16: kith's kernels against PyTorch eager and compiled.

    KITH_TREE=build/cuda python bench/rivals/gpu_ntxent.py ntxent.json
"""

import gpu_common

args = gpu_common.start(__doc__)
import torch
import torch.nn.functional as F

c = gpu_common.Comparison("ntxent", args, "forward + backward, dim 128; bf16 products on a GPU, f32 on the CPU")
TAU, DIM = 0.1, 128


def loss(z, diagonal, partner):
    if c.cuda:
        half = z.bfloat16()
        s = (half @ half.T).float() / TAU
    else:
        s = z @ z.T / TAU
    return F.cross_entropy(s.masked_fill(diagonal, float("-inf")), partner)


def rival(rows, transform):
    def make():
        z = F.normalize(torch.randn(rows, DIM, device=c.device)).requires_grad_()
        diagonal = torch.eye(rows, dtype=torch.bool, device=c.device)
        partner = torch.arange(rows, device=c.device) ^ 1
        f = transform(loss)

        def step():
            z.grad = None
            f(z, diagonal, partner).backward()

        return step

    return make


def rivals(rows):
    made = {"eager": rival(rows, lambda f: f)}
    for name, mode in c.compile_modes().items():
        made[name] = rival(rows, lambda f, mode=mode: torch.compile(f, mode=mode, dynamic=False))
    return made


sizes = (1024, 2048, 4096, 8192, 16384) if c.cuda else (512,)
c.compare("ntxent", [(f"{rows} rows", [f"ntxent_forward_backward/{rows}/{DIM}/{int(c.cuda)}"], rivals(rows)) for rows in sizes])
c.finish()
