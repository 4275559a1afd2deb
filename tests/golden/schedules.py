"""Golden learning rates from torch.optim.lr_scheduler and the authors' cosine. python tests/golden/schedules.py"""
import math

import torch
from safetensors.torch import save_file

from place import values

EPOCHS, LR = 12, 0.4


def run(scheduler):
    optimiser = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=LR)
    schedule = scheduler(optimiser)
    rates = []
    for _ in range(EPOCHS):
        rates.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        schedule.step()
    return torch.tensor(rates, dtype=torch.float64)


s = torch.optim.lr_scheduler
save_file(
    {
        "cosine": run(lambda o: s.CosineAnnealingLR(o, EPOCHS, eta_min=LR * 1e-3)),
        "step": run(lambda o: s.MultiStepLR(o, [4, 9], gamma=0.1)),
        # SCAN's formula: eta_min = lr rate^3 with rate 0.1
        "authors_cosine": torch.tensor([LR * 1e-3 + (LR - LR * 1e-3) * (1 + math.cos(math.pi * e / EPOCHS)) / 2
                                        for e in range(EPOCHS)], dtype=torch.float64),
    },
    values("schedules"),
)
