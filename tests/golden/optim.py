"""Golden steps of the optimisers: float64 PyTorch (SGD, Adam, AdamW); LARS and EMA by their formulas in NumPy."""
import numpy as np
import torch
from safetensors.numpy import save_file

from place import values

STEPS, SIZES = 4, (37, 8)
rng = np.random.default_rng(3)
w0 = [rng.standard_normal(n) for n in SIZES]
grads = [[rng.standard_normal(n) for n in SIZES] for _ in range(STEPS)]
# Stored as float32 values so that float and double start from the same numbers.
w0 = [w.astype(np.float32).astype(np.float64) for w in w0]
grads = [[g.astype(np.float32).astype(np.float64) for g in step] for step in grads]
DECAY = (0.0625, 0.0)  # exact in float32; the second tensor has none

out = {f"w0.{i}": w for i, w in enumerate(w0)}
out |= {f"g.{t}.{i}": g for t, step in enumerate(grads) for i, g in enumerate(step)}


def run_torch(name, make):
    params = [torch.nn.Parameter(torch.tensor(w)) for w in w0]
    optimizer = make([{"params": [p], "weight_decay": d} for p, d in zip(params, DECAY)])
    for t in range(STEPS):
        for p, g in zip(params, grads[t]):
            p.grad = torch.tensor(g)
        optimizer.step()
        for i, p in enumerate(params):
            out[f"{name}.{t}.{i}"] = p.detach().numpy().copy()


run_torch("sgd", lambda p: torch.optim.SGD(p, lr=0.125, momentum=0.0))
run_torch("momentum", lambda p: torch.optim.SGD(p, lr=0.125, momentum=0.75))
run_torch("nesterov", lambda p: torch.optim.SGD(p, lr=0.125, momentum=0.75, nesterov=True))
run_torch("adam", lambda p: torch.optim.Adam(p, lr=0.125, betas=(0.875, 0.9375), eps=2.0**-20))
run_torch("adamw", lambda p: torch.optim.AdamW(p, lr=0.125, betas=(0.875, 0.9375), eps=2.0**-20))

w = [x.copy() for x in w0]
v = [np.zeros_like(x) for x in w0]
average = [x.copy() for x in w0]
for t in range(STEPS):
    for i in range(len(w)):
        g, wd = grads[t][i], DECAY[i]
        w_norm, g_norm = np.sqrt((w[i] ** 2).sum()), np.sqrt((g**2).sum())
        ratio = 0.03125 * w_norm / (g_norm + wd * w_norm) if i == 0 else 1.0  # the second tensor does not adapt
        v[i] = 0.75 * v[i] + 0.125 * ratio * (g + wd * w[i])
        w[i] = w[i] - v[i]
        average[i] = 0.875 * average[i] + 0.125 * w[i]
        out[f"lars.{t}.{i}"] = w[i].copy()
        out[f"ema.{t}.{i}"] = average[i].copy()

save_file(out, values("optim"))
