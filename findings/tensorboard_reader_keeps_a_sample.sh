#!/usr/bin/env bash
# Guess: TensorBoard's EventAccumulator gives every value that was logged; samples are taken for the browser only.
# Really: it keeps 10,000 scalars of a tag by a draw without telling (the last one always), 4 images, 1 histogram, and 10 tensors, which is how
# TensorFlow 2 and Keras log their scalars: ten points of 30,000. Of the best steps the same part is lost, so the best epoch, the first
# step of a divergence and a count of steps read from the files may be others than those logged. size_guidance={"scalars": 0, "tensors": 0} keeps all.
# Meets: whoever takes tables, curves or the best checkpoint from event files of a long run, which is right as long as runs are short.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check tensorboard==2.21.0 numpy==2.4.6
cd "$place"
venv/bin/python -W ignore - <<'PYTHON'
import numpy as np
import tensorboard
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.scalar.metadata import create_summary_metadata
from tensorboard.summary.writer.event_file_writer import EventFileWriter
from tensorboard.util.tensor_util import make_tensor_proto

print("tensorboard", tensorboard.__version__)
about = create_summary_metadata("", "")  # what TensorFlow 2 writes beside a scalar


def read(steps, **more):
    values = np.random.default_rng(1).permutation(steps)  # all different: the best is steps - 1
    place = f"run{steps}"
    if not more:
        writer = EventFileWriter(place)
        for step, value in enumerate(values):
            one = Summary.Value(tag="torch", simple_value=float(value))
            two = Summary.Value(tag="tensorflow", tensor=make_tensor_proto(np.float32(value)), metadata=about)
            writer.add_event(Event(step=step, wall_time=step, summary=Summary(value=[one, two])))
        writer.close()
    events = EventAccumulator(place, **more)
    events.Reload()
    scalars, tensors = events.Scalars("torch"), events.Tensors("tensorflow")
    found = np.array([event.value for event in scalars])
    best = int(found.max())
    top = int((found >= steps - 100).sum())
    print(f"{steps} steps{', nothing left out' if more else ''}: scalars {len(scalars)}, as tensors {len(tensors)}, "
          f"last step {scalars[-1].step}, of the 100 best steps {top}, best at step {scalars[int(found.argmax())].step} (logged: {values.argmax()})")
    return len(scalars), len(tensors), top, best == steps - 1


short, long = read(9_000), read(30_000)
whole = read(30_000, size_guidance={"scalars": 0, "tensors": 0})
assert short == (9_000, 10, 100, True)
assert long[:2] == (10_000, 10) and 20 < long[2] < 50
assert whole == (30_000, 30_000, 100, True)
PYTHON
# Seen on Debian 12, Python 3.11, amd64:
#   tensorboard 2.21.0
#   9000 steps: scalars 9000, as tensors 10, last step 8999, of the 100 best steps 100, best at step 609 (logged: 609)
#   30000 steps: scalars 10000, as tensors 10, last step 29999, of the 100 best steps 30, best at step 18119 (logged: 18119)
#   30000 steps, nothing left out: scalars 30000, as tensors 30000, last step 29999, of the 100 best steps 100, best at step 18119 (logged: 18119)
