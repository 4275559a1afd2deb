"""Golden losses and gradients in float64, from PyTorch. Run: python tests/golden/losses.py"""


import torch
import torch.nn.functional as F
from safetensors.torch import save_file

from place import values

torch.manual_seed(7)
torch.set_default_dtype(torch.float64)
out = {}


def f32(*shape, scale=1.0):
    """Drawn in f32: the tests feed the same numbers to the f32 and the f64 code."""
    return (torch.randn(*shape, dtype=torch.float32) * scale).double()


def keep(name, **arrays):
    for key, value in arrays.items():
        out[f"{name}.{key}"] = value.detach().contiguous()


def ntxent_rows(z, tau):
    s = z @ z.T / tau
    s = s.masked_fill(torch.eye(len(z), dtype=torch.bool), float("-inf"))
    return F.cross_entropy(s, torch.arange(len(z)) ^ 1, reduction="none")


def ntxent():
    for name, rows, dim, tau, anchors in [
        ("ntxent.symmetric", 12, 7, 0.5, slice(None)),
        ("ntxent.one_sided", 12, 7, 0.1, slice(0, None, 2)),
    ]:
        z = F.normalize(f32(rows, dim)).float().double().requires_grad_()
        loss = ntxent_rows(z, tau)
        mean = loss[anchors].mean()
        mean.backward()
        dloss = torch.zeros(rows)
        dloss[anchors] = 1 / len(loss[anchors])
        keep(name, z=z.detach().float(), tau=torch.tensor([tau]), loss=loss, mean=mean[None], dloss=dloss, dz=z.grad)


def scan():
    lam = 5.0
    for name, heads, rows, classes, scale in [("scan.plain", 3, 9, 4, 2.0), ("scan.clamped", 2, 5, 3, 30.0)]:
        a, b = f32(heads, rows, classes, scale=scale), f32(heads, rows, classes, scale=scale)
        if name == "scan.clamped":
            a[:, :, 2] = -80.0  # a cluster nobody enters: its mean is below the entropy's clamp
            a[0, 0], b[0, 0] = torch.tensor([80.0, -80, -80]), torch.tensor([-80.0, 80, -80])  # log <p, q> below -100
        a.requires_grad_(), b.requires_grad_()
        # The logarithm of the dot product stays in log space: binary_cross_entropy itself damps its gradient below 1e-12.
        log_dot = torch.logsumexp(F.log_softmax(a, -1) + F.log_softmax(b, -1), -1)
        consistency = -log_dot.clamp(min=-100).mean(1)
        if name == "scan.plain":
            dots = (F.softmax(a, -1) * F.softmax(b, -1)).sum(-1)
            reference = torch.stack([F.binary_cross_entropy(d, torch.ones_like(d)) for d in dots])
            assert torch.allclose(consistency, reference, rtol=1e-12)
        pbar = F.softmax(a, -1).mean(1).clamp(min=1e-8)
        entropy = -(pbar * pbar.log()).sum(-1)
        loss = consistency - lam * entropy
        dloss = torch.arange(1.0, heads + 1)
        (loss * dloss).sum().backward()
        keep(name, anchors=a.detach().float(), neighbours=b.detach().float(), consistency=consistency, entropy=entropy,
             loss=loss, dloss=dloss, danchors=a.grad, dneighbours=b.grad)


def selflabel():
    rows, classes, threshold = 16, 4, 0.8
    weak, strong = f32(rows, classes, scale=3.0), f32(rows, classes, scale=2.0).requires_grad_()
    confidence, target = F.softmax(weak, -1).max(-1)
    kept = confidence > threshold
    assert 0 < kept.sum() < rows
    for name in ("balanced", "plain", "rows"):
        weight = torch.ones(classes)
        if name == "balanced":
            found, counts = torch.unique(target[kept], return_counts=True)
            weight[found] = kept.sum() / counts.double()
        loss = F.cross_entropy(strong[kept], target[kept], weight=weight)
        if name == "rows":  # FixMatch: the mean over all rows of what is 0 where nothing is kept
            loss = (F.cross_entropy(strong, target, reduction="none") * kept).mean()
        (gradient,) = torch.autograd.grad(loss, strong)
        keep(f"selflabel.{name}", weak=weak.float(), strong=strong.detach().float(), threshold=torch.tensor([threshold]),
             target=torch.where(kept, target, -1).int(), loss=loss[None], dstrong=gradient)


def xent():
    rows, classes = 9, 5
    logits = f32(rows, classes, scale=3.0).requires_grad_()
    labels = torch.randint(classes, (rows,))
    loss = F.cross_entropy(logits, labels, reduction="none")
    dloss = f32(rows)
    (loss * dloss).sum().backward()
    keep("xent", logits=logits.detach().float(), labels=labels.int(), loss=loss, dloss=dloss.float(), dlogits=logits.grad,
         probabilities=F.softmax(logits, -1))


def l2():
    x = f32(5, 7)
    x[2] = 0
    x.requires_grad_()
    y = F.normalize(x)
    dy = f32(5, 7)
    (y * dy).sum().backward()
    keep("l2", x=x.detach().float(), y=y, dy=dy.float(), dx=x.grad)


def cosine():
    x, y = f32(5, 7), f32(5, 7)
    x[2] = 0
    y[3] = 0
    x.requires_grad_()
    loss = 2 - 2 * (F.normalize(x) * F.normalize(y)).sum(-1)
    dloss = f32(5)
    (loss * dloss).sum().backward()
    keep("cosine", x=x.detach().float(), y=y.float(), loss=loss, dloss=dloss.float(), dx=x.grad)


def temi():
    """Views, heads, rows, classes; the student sees one view, the teacher the other, and the mean is over both ways."""
    for name, heads, rows, classes, scale in [("temi.plain", 3, 9, 4, 0.3), ("temi.saturated", 2, 6, 5, 80.0)]:
        student_t, teacher_t, beta, momentum = options = torch.tensor([0.1, 0.1, 0.6, 0.9]).float().double()
        if name == "temi.plain":
            student_t, teacher_t, beta, momentum = options = torch.tensor([0.25, 0.125, 0.75, 0.5])
        student, teacher = f32(2, heads, rows, classes, scale=scale), f32(2, heads, rows, classes, scale=scale)
        if name == "temi.saturated":
            student, teacher = student.sign() * scale, teacher.sign() * scale
        student.requires_grad_()
        prior = F.softmax(f32(heads, classes), -1).float().double()
        q = F.softmax(teacher / teacher_t, -1)
        moved = momentum * prior + (1 - momentum) * q.mean((0, 2))
        weight = (q[0] * q[1]).sum(-1).mean(0)
        log_t, log_s = F.log_softmax(teacher / teacher_t, -1), F.log_softmax(student / student_t, -1)
        ways = [torch.logsumexp(beta * (log_t[1 - v] + log_s[v]) - moved.log()[:, None], -1) for v in (0, 1)]
        if name == "temi.plain":
            r = (q[1] * F.softmax(student[0] / student_t, -1)) ** beta / moved[:, None]
            assert torch.allclose(ways[0], r.sum(-1).log(), rtol=1e-12)
        loss = -(weight * (ways[0] + ways[1]) / 2).mean(-1)
        dloss = torch.arange(1.0, heads + 1)
        (loss * dloss).sum().backward()
        keep(name, student=student.detach().float(), teacher=teacher.float(), options=options.float(), prior=prior.float(),
             moved_prior=moved, weight=weight, loss=loss, dloss=dloss.float(), dstudent=student.grad)


for make in (ntxent, scan, selflabel, xent, l2, cosine, temi):
    make()
save_file(out, values("losses"))
