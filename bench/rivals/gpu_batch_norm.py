"""BatchNorm + ReLU, with and without a residual, forward and backward, bf16 channels-last: kith's kernels against PyTorch eager
and compiled. kith's forward and backward are timed one by one and added up.

    KITH_TREE=build/cuda python bench/rivals/gpu_batch_norm.py batch_norm.json
"""

import gpu_common

args = gpu_common.start(__doc__)
import torch
import torch.nn.functional as F

c = gpu_common.Comparison("batch_norm", args, "forward + backward; bf16 activations and f32 parameters on a GPU, all f32 on the CPU")


def layer(x, residual, gamma, beta, mean, var):
    y = F.batch_norm(x, mean, var, gamma, beta, training=True)
    return F.relu(y if residual is None else y + residual)


def rival(rows, channels, with_residual, transform):
    def make():
        images, side = (1024, int((rows // 1024) ** 0.5)) if c.cuda else (rows // 16, 4)
        dtype = torch.bfloat16 if c.cuda else torch.float32

        def activations():
            drawn = torch.randn(images, channels, side, side, device=c.device, dtype=dtype)
            return drawn.to(memory_format=torch.channels_last)

        x, dy = activations().requires_grad_(), activations()
        residual = activations().requires_grad_() if with_residual else None
        gamma, beta = (torch.randn(channels, device=c.device, requires_grad=True) for _ in range(2))
        mean, var = torch.zeros(channels, device=c.device), torch.ones(channels, device=c.device)
        wanted = [x, gamma, beta] + ([residual] if with_residual else [])
        f = transform(layer)
        return lambda: torch.autograd.grad(f(x, residual, gamma, beta, mean, var), wanted, dy)

    return make


def rivals(*case):
    made = {"eager": rival(*case, lambda f: f)}
    if c.cuda and case[0] < 1 << 20:
        return made  # to compile every shape would take minutes
    for name, mode in c.compile_modes().items():
        made[name] = rival(*case, lambda f, mode=mode: torch.compile(f, mode=mode, dynamic=False))
    return made


def comparisons():
    shapes = [(1 << 20, 64), (1 << 18, 128), (1 << 16, 256), (1 << 14, 512)] if c.cuda else [(4096, 128)]
    half = "_bf16" if c.cuda else ""
    for residual in (0, 1):
        for rows, channels in shapes:
            ours = [f"batch_norm_{way}{half}/{rows}/{channels}/{residual}" for way in ("forward", "backward")]
            yield f"{rows} x {channels}{', residual' if residual else ''}", ours, rivals(rows, channels, residual)


c.compare("batch_norm", list(comparisons()))
c.finish()
