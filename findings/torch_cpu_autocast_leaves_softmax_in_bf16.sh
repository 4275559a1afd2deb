#!/usr/bin/env bash
# Guess: under autocast softmax, log_softmax, logsumexp, norms and sums are computed and returned in float32, on every device.
# Really: they are on CUDA's list of float32 operations and not on the CPU's: there bf16 logits give bf16 probabilities, with 8 bits of
# precision. cross_entropy is float32 on both, so of two ways of writing one loss only one is. Confidences near 1 are multiples
# of 1/256: of a threshold of 0.99 that becomes 0.992, and 1 begins at 0.998; log-probabilities of -16 are off by up to 0.06.
# Meets: whoever trains SimCLR, SCAN or self-labelling (own losses, thresholds of confidence) on a CPU with recipes made for CUDA, or compares
# the speed and losses of both.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check torch==2.13.0 numpy==2.4.6
cd "$place"
venv/bin/python -W ignore - <<'PYTHON'
import pathlib

import torch
import torch.nn.functional as F

print("torch", torch.__version__)
# The wheel brings the lists that its own tests of autocast use, first CUDA's, then the CPU's.
text = (pathlib.Path(torch.__file__).parent / "testing/_internal/autocast_test_lists.py").read_text()
cuda, cpu = text.split("class AutocastCPUTestLists")
generator = torch.Generator().manual_seed(0)
logits = 3 * torch.randn(4096, 10, generator=generator)
with torch.autocast("cpu", dtype=torch.bfloat16):
    scores = logits @ torch.eye(10)  # a linear layer
    results = {"softmax": scores.softmax(1), "log_softmax": F.log_softmax(scores, 1), "logsumexp": scores.logsumexp(1),
               "norm": scores.norm(dim=1), "sum": scores.sum(1), "cross_entropy": F.cross_entropy(scores, scores.argmax(1))}
wide = scores.float()
def listed(name, lists):
    return f'("{name}"' in lists


for name, value in results.items():
    print(f"{name:14} {str(value.dtype):15}", f"listed as float32: CUDA {listed(name, cuda)}, CPU {listed(name, cpu)}"
          if name != "cross_entropy" else "")
confidence, exact = results["softmax"].max(1).values, wide.softmax(1).max(1).values
apart = (results["log_softmax"].float() - wide.log_softmax(1)).abs().max().item()
print("confidences of 0.98 and more:", sorted({round(v, 6) for v in confidence.float().tolist() if v >= 0.98}))
print("above 0.99:", int((confidence > 0.99).sum()), "against", int((exact > 0.99).sum()), "  equal to 1:",
      int((confidence == 1).sum()), "against", int((exact == 1).sum()), f"  log-probabilities differ by up to {apart:.3f}")
assert all(v.dtype == torch.bfloat16 for k, v in results.items() if k != "cross_entropy")
assert results["cross_entropy"].dtype == torch.float32
assert all(listed(n, cuda) and not listed(n, cpu) for n in ("softmax", "log_softmax", "logsumexp", "norm", "sum"))
assert int((confidence == 1).sum()) > 10 * int((exact == 1).sum())
PYTHON
# Seen on Debian 12, Python 3.11, amd64:
#   torch 2.13.0+cpu
#   softmax        torch.bfloat16  listed as float32: CUDA True, CPU False
#   log_softmax    torch.bfloat16  listed as float32: CUDA True, CPU False
#   logsumexp      torch.bfloat16  listed as float32: CUDA True, CPU False
#   norm           torch.bfloat16  listed as float32: CUDA True, CPU False
#   sum            torch.bfloat16  listed as float32: CUDA True, CPU False
#   cross_entropy  torch.float32
#   confidences of 0.98 and more: [0.980469, 0.984375, 0.988281, 0.992188, 0.996094, 1.0]
#   above 0.99: 97 against 99   equal to 1: 21 against 0   log-probabilities differ by up to 0.062
