"""Golden batch normalisation: PyTorch float64, residual and ReLU, two training steps, then evaluation."""
import numpy as np
import torch
import torch.nn.functional as F
from safetensors.numpy import save_file

from place import values

N, C, H, W = 3, 5, 4, 3
rng = np.random.default_rng(11)
out = {}


def rows(t):  # NCHW -> [N H W, C]
    return t.detach().permute(0, 2, 3, 1).reshape(-1, C).numpy().copy()


def draw(*shape, loc=0.0):
    return torch.tensor((rng.standard_normal(shape) + loc).astype(np.float32).astype(np.float64))


gamma, beta = draw(C, loc=1.0), draw(C)
mean, var = torch.zeros(C, dtype=torch.float64), torch.ones(C, dtype=torch.float64)
out["gamma"], out["beta"] = gamma.numpy().copy(), beta.numpy().copy()
for step in range(2):
    x, residual, dy = draw(N, C, H, W, loc=2.0), draw(N, C, H, W), draw(N, C, H, W)
    leaves = [t.clone().requires_grad_() for t in (x, residual, gamma, beta)]
    y = F.relu(F.batch_norm(leaves[0], mean, var, leaves[2], leaves[3], True, 0.125, 2.0**-10) + leaves[1])
    y.backward(dy)
    for name, t in (("x", x), ("residual", residual), ("dy", dy), ("y", y), ("dx", leaves[0].grad),
                    ("dresidual", leaves[1].grad)):
        out[f"{name}.{step}"] = rows(t)
    out[f"dgamma.{step}"], out[f"dbeta.{step}"] = leaves[2].grad.numpy(), leaves[3].grad.numpy()
    out[f"running_mean.{step}"], out[f"running_var.{step}"] = mean.numpy().copy(), var.numpy().copy()
out["eval"] = rows(F.relu(F.batch_norm(x, mean, var, gamma, beta, False, 0.125, 2.0**-10) + residual))
save_file(out, values("batch_norm"))
