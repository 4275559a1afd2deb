"""Golden operations of nn/ops: inputs, output and gradients in float64 from PyTorch.
Run from the repository root: python tests/golden/nn.py"""
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

from place import values

torch.manual_seed(7)
out = {}


def draw(*shape, scale=1.0):  # drawn in f32, so that both sides see the same numbers
    return (torch.randn(*shape) * scale).double().requires_grad_()


def nhwc(t):
    return t.permute(0, 2, 3, 1) if t.dim() == 4 else t


def keep(case, y, **inputs):
    """y, a random dy, and the gradient of <y, dy> for each input."""
    dy = torch.randn(y.shape).double()
    (y * dy).sum().backward()
    out[f"{case}.y"], out[f"{case}.dy"] = nhwc(y), nhwc(dy)
    for name, t in inputs.items():
        out[f"{case}.{name}"], out[f"{case}.d{name}"] = nhwc(t), nhwc(t.grad)


for name, k, s, p, maximum in (("max_stl", 2, 2, 1, 1), ("max_imagenet", 3, 2, 1, 1), ("average", 3, 2, 1, 0)):
    x = draw(2, 5, 7, 6)
    y = F.max_pool2d(x, k, s, p) if maximum else F.avg_pool2d(x, k, s, p, count_include_pad=False)
    keep(name, y, x=x)
x = draw(2, 5, 4, 3)
keep("global_average", x.mean((2, 3)), x=x)
x, w, b = draw(5, 7), draw(3, 7), draw(3)
keep("linear", F.linear(x, w, b), x=x, w=w, b=b)
x, ws, bs = draw(5, 7), [draw(3, 7) for _ in range(2)], [draw(3) for _ in range(2)]
keep("heads", torch.stack([F.linear(x, w, b) for w, b in zip(ws, bs)]), x=x, w0=ws[0], w1=ws[1], b0=bs[0], b1=bs[1])
x = draw(4, 6)
keep("normalize", F.normalize(x, dim=1), x=x)
x = draw(2, 3, 6, scale=3.0)
keep("softmax", F.softmax(x, -1), x=x)
x = draw(2, 3, 6, scale=30.0)
keep("log_softmax", F.log_softmax(x, -1), x=x)
labels = torch.tensor([0, 4, 2, 2, 1])
x = draw(5, 6, scale=2.0)
keep("xent", F.cross_entropy(x, labels, reduction="none"), x=x)
out["xent.labels"] = labels.int()
for form, anchors in (("symmetric", slice(None)), ("one_sided", slice(0, None, 2))):
    z = F.normalize(draw(10, 6)).float().double().detach().requires_grad_()
    s = (z @ z.T / 0.2).masked_fill(torch.eye(10, dtype=torch.bool), float("-inf"))
    loss = F.cross_entropy(s, torch.arange(10) ^ 1, reduction="none")
    keep(f"ntxent_{form}", loss[anchors].mean(), x=z)
a, n = draw(2, 6, 4, scale=2.0), draw(2, 6, 4, scale=2.0)
p, q = a.softmax(-1), n.softmax(-1)
pbar = p.mean(1).clamp(min=1e-8)
keep("scan", -(p * q).sum(-1).log().clamp(min=-100).mean(1) + 5 * (pbar * pbar.log()).sum(-1), a=a, n=n)
a = draw(1, 6, 4)
p = a.softmax(-1)
pbar = p.mean(1)
keep("scan_same", -(p * p).sum(-1).log().mean(1) + 5 * (pbar * pbar.log()).sum(-1), a=a)
weak, strong = draw(12, 4, scale=3.0), draw(12, 4)
confidence, target = weak.softmax(1).max(1)
mask = confidence > 0.9
counts = torch.bincount(target[mask], minlength=4).double()
weight = torch.where(counts > 0, mask.sum() / counts.clamp(min=1), torch.ones(4).double())
keep("selflabel", F.cross_entropy(strong[mask], target[mask], weight=weight), x=strong)
out["selflabel.weak"], out["selflabel.target"] = weak, torch.where(mask, target, -1).int()
x, r, g, b = draw(3, 4, 2, 3), draw(3, 4, 2, 3), draw(4), draw(4)
keep("norm", F.relu(F.batch_norm(x, None, None, g, b, True) + r), x=x, r=r, g=g, b=b)
x, g, b = draw(3, 4, 2, 3), draw(4), draw(4)
keep("norm_relu", F.relu(F.batch_norm(x, None, None, g, b, True)), x=x, g=g, b=b)
x, y = draw(5, 6), draw(5, 6)
keep("cosine", 2 - 2 * F.cosine_similarity(x, y, dim=1, eps=1e-12), x=x)
out["cosine.t"] = y
x = draw(3, 7, scale=2.0)
keep("gelu", F.gelu(x), x=x)
v, g = draw(5, 6), draw(5)
keep("weight_norm", torch._weight_norm(v, g[:, None], 0), v=v, g=g)
# TEMI's loss, heads side by side: [2 rows, heads classes], the views one below the other; the student sees one, the teacher both.
s, t, prior = draw(10, 12, scale=0.3), draw(10, 12, scale=0.3), torch.softmax(torch.randn(3, 4), -1).double()
views = lambda z: (z / 0.1).reshape(2, 5, 3, 4).log_softmax(-1)
q = views(t.detach()).exp()
moved = 0.9 * prior + 0.1 * q.mean((0, 1))
w = (q[0] * q[1]).sum(-1).mean(-1)
r = torch.logsumexp(0.6 * (views(t.detach()).flip(0) + views(s)) - moved.log(), -1)
keep("temi", -(w[:, None] * r).mean((0, 1)), x=s)
out["temi.teacher"], out["temi.prior"], out["temi.moved"], out["temi.weight"] = t.detach(), prior, moved, w
save_file({k: (v.detach().float() if v.is_floating_point() else v).contiguous() for k, v in out.items()},
          values("nn"))
