"""TEMI's loss, forward + backward with the prior's update, all heads at once, against PyTorch eager and compiled.

    python bench/rivals/temi_loss.py [rounds]
"""

import common

threads = common.pin(2)
import torch
import torch.nn.functional as F

torch.set_num_threads(threads)
TEMPERATURE, BETA, MOMENTUM = 0.1, 0.6, 0.9


def loss_of(student, teacher, prior):
    """student, teacher [2 rows, heads, classes], the views one below the other; in log space, as kith's."""
    student, teacher = (z.unflatten(0, (2, -1)) for z in (student, teacher))
    log_t = F.log_softmax(teacher / TEMPERATURE, -1)
    q = log_t.exp()
    moved = MOMENTUM * prior + (1 - MOMENTUM) * q.mean((0, 1))
    weight = (q[0] * q[1]).sum(-1).mean(-1)
    log_s = F.log_softmax(student / TEMPERATURE, -1)
    log_r = torch.logsumexp(BETA * (log_t.flip(0) + log_s) - moved.log(), -1)
    return -(weight[:, None] * log_r).mean((0, 1)), moved


def rival(heads, rows, classes, compiled):
    torch.manual_seed(7)
    student = (0.3 * torch.randn(2 * rows, heads, classes)).requires_grad_()
    teacher, state = 0.3 * torch.randn(2 * rows, heads, classes), [torch.full((heads, classes), 1 / classes)]
    call = torch.compile(loss_of) if compiled else loss_of

    def step():
        student.grad = None
        losses, prior = call(student, teacher, state[0])
        state[0] = prior.detach()
        losses.mean().backward()

    step()
    return step


def compare(heads, rows, classes, rounds):
    eager, compiled = rival(heads, rows, classes, False), rival(heads, rows, classes, True)
    result = common.interleaved({"kith": lambda: common.ours("temi_loss", f"temi_loss/{heads}/{rows}/{classes}"),
                                 "pytorch eager": lambda: common.timed(eager),
                                 "pytorch compiled": lambda: common.timed(compiled)}, rounds)
    return {"heads": heads, "rows": rows, "classes": classes, "times": result,
            "pytorch / kith": {side: common.ratio(result, f"pytorch {side}", "kith") for side in ("eager", "compiled")}}


def main():
    rounds = common.rounds(7)
    common.write("temi_loss", threads, {"torch": torch.__version__},
                 [compare(16, 1024, classes, rounds) for classes in (10, 100)])


if __name__ == "__main__":
    main()
