"""Golden values of the methods on features, in float64, from PyTorch and scikit-learn. Run: python tests/golden/features.py"""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from safetensors.torch import save_file
from sklearn.metrics import silhouette_samples

from place import values

torch.manual_seed(11)
torch.set_default_dtype(torch.float64)
out = {}


def f32(*shape, scale=1.0):
    """Drawn in f32: the tests feed the same numbers to the f32 code."""
    return (torch.randn(*shape, dtype=torch.float32) * scale).double()


def uniform(*shape, bound):
    return ((torch.rand(*shape, dtype=torch.float32) * 2 - 1) * bound).double()


def keep(name, value):
    value = value.detach().contiguous()
    out[name] = value.float() if value.dtype == torch.float64 else value.clone()


def silhouettes():
    x = f32(60, 5) + 2 * torch.nn.functional.one_hot(torch.arange(60) % 4, 5)
    labels = torch.arange(60, dtype=torch.int32) % 4
    labels[:9] = 0
    labels[59] = 5  # alone in its cluster; cluster 4 is empty
    each = torch.from_numpy(silhouette_samples(x.numpy(), labels.numpy()))
    keep("silhouette.x", x)
    keep("silhouette.labels", labels)
    keep("silhouette.mean", each.mean()[None])
    keep("silhouette.per_cluster", torch.stack([each[labels == c].mean() for c in (0, 1, 2, 3, 5)]))


def turtle(steps=4, inner_steps=10, lr=1e-3, inner_lr=1e-3, gamma=10.0):
    """All rows in every step; the inner maps begin as given, so that the draws are the same."""
    dims, classes, rows = (6, 4), 3, 30
    z = [f32(rows, d) for d in dims]
    encoders = [nn.utils.weight_norm(nn.Linear(d, classes)) for d in dims]
    for s, (d, e) in enumerate(zip(dims, encoders)):
        with torch.no_grad():
            e.weight_v.copy_(uniform(classes, d, bound=d**-0.5))
            e.weight_g.copy_(e.weight_v.norm(dim=1, keepdim=True).float().double())
            e.bias.copy_(uniform(classes, bound=d**-0.5))
        keep(f"turtle.z.{s}", z[s])
        keep(f"turtle.weight_v.{s}", e.weight_v)
        keep(f"turtle.weight_g.{s}", e.weight_g[:, 0])
        keep(f"turtle.bias.{s}", e.bias)
    outer = torch.optim.Adam([p for e in encoders for p in e.parameters()], lr=lr)
    losses = []
    for step in range(steps):
        inner = [nn.Linear(d, classes) for d in dims]
        for s, (d, w) in enumerate(zip(dims, inner)):
            with torch.no_grad():
                w.weight.copy_(uniform(classes, d, bound=d**-0.5))
                w.bias.copy_(uniform(classes, bound=d**-0.5))
            keep(f"turtle.inner.{step}.{s}.weight", w.weight)
            keep(f"turtle.inner.{step}.{s}.bias", w.bias)
        optimizer = torch.optim.Adam([p for w in inner for p in w.parameters()], lr=inner_lr)
        each = [F.softmax(e(x), 1) for e, x in zip(encoders, z)]
        labels = sum(each) / len(each)
        for _ in range(inner_steps):
            optimizer.zero_grad()
            sum(F.cross_entropy(w(x), labels.detach()) for w, x in zip(inner, z)).backward()
            optimizer.step()
        outer.zero_grad()
        prediction = sum(F.cross_entropy(w(x).detach(), labels) for w, x in zip(inner, z))
        entropy = sum(torch.special.entr(p.mean(0)).sum() for p in each)
        (prediction - gamma * entropy).backward()
        outer.step()
        losses.append(torch.stack([prediction, entropy]))
    keep("turtle.losses", torch.stack(losses))
    for s, e in enumerate(encoders):
        e(z[s])  # the weight of the last step
        keep(f"turtle.final.{s}", e.weight)


class Head(nn.Module):
    def __init__(self, dim, hidden, bottleneck, classes):
        super().__init__()
        self.hidden, self.neck = nn.Linear(dim, hidden), nn.Linear(hidden, bottleneck)
        self.last = nn.utils.weight_norm(nn.Linear(bottleneck, classes, bias=False))

    def forward(self, x):
        return self.last(F.normalize(self.neck(F.gelu(self.hidden(x)))))


def temi(steps=4, beta=0.6, temperature=0.1, momentum=0.9, ema=0.9, lr=1e-3, decay=1e-2):
    """The same rows in every step; the last layers stand still in the first one."""
    dim, hidden, bottleneck, classes, heads, rows = 7, 9, 6, 4, 2, 12
    x = f32(2 * rows, dim)
    keep("temi.x", x)
    student = [Head(dim, hidden, bottleneck, classes) for _ in range(heads)]
    teacher = [Head(dim, hidden, bottleneck, classes) for _ in range(heads)]
    for h, (s, t) in enumerate(zip(student, teacher)):
        with torch.no_grad():
            for name, p in s.named_parameters():
                p.copy_(f32(*p.shape, scale=0.3) if p.dim() > 1 else torch.zeros_like(p))
            s.last.weight_g.fill_(1)
        t.load_state_dict(s.state_dict())
        for name, value in (("hidden.weight", s.hidden.weight), ("hidden.bias", s.hidden.bias),
                            ("neck.weight", s.neck.weight), ("neck.bias", s.neck.bias),
                            ("last.weight_v", s.last.weight_v), ("last.weight_g", s.last.weight_g[:, 0])):
            keep(f"temi.head.{h}.{name}", value)
    parameters = [p for s in student for p in s.parameters()]
    optimizer = torch.optim.AdamW([{"params": [p for p in parameters if p.dim() > 1], "weight_decay": decay},
                                   {"params": [p for p in parameters if p.dim() == 1], "weight_decay": 0.0}], lr=lr)
    prior = torch.full((heads, classes), 1 / classes)
    losses = []
    for step in range(steps):
        qs = [F.softmax(s(x) / temperature, 1).chunk(2) for s in student]
        with torch.no_grad():
            qt = [F.softmax(t(x) / temperature, 1).chunk(2) for t in teacher]
            weight = sum((a * b).sum(1) for a, b in qt) / heads
            for h in range(heads):
                prior[h] = momentum * prior[h] + (1 - momentum) * torch.cat(qt[h]).mean(0)
        each = []
        for h in range(heads):
            loss = 0
            for v in range(2):  # the student's view
                loss = loss - (weight * torch.log(((qt[h][1 - v] * qs[h][v]) ** beta / prior[h]).sum(1))).mean()
            each.append(loss / 2)
        optimizer.zero_grad()
        torch.stack(each).mean().backward()
        if step == 0:
            for s in student:
                s.last.weight_v.grad = s.last.weight_g.grad = None
        optimizer.step()
        with torch.no_grad():
            for s, t in zip(student, teacher):
                for p, q in zip(s.parameters(), t.parameters()):
                    q.mul_(ema).add_((1 - ema) * p)
        losses.append(torch.stack(each))
    keep("temi.losses", torch.stack(losses))
    keep("temi.prior", prior)
    keep("temi.teacher", torch.stack([t(x) for t in teacher]))


silhouettes()
turtle()
temi()
save_file(out, values("features"))
print({k: tuple(v.shape) for k, v in out.items()})
print(out["turtle.losses"], out["temi.losses"])
