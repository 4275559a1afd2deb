"""Exact top-20 of 50,000 rows among themselves against faiss-cpu IndexFlatIP. Run: python bench/rivals/topk.py [rounds]"""

import ctypes
import os

import common

threads = common.pin(2)
# The wheel's OpenBLAS (0.3.15) takes processors that it does not know for one with SSE3 alone, at a quarter of the speed.
if common.has_flag("avx512f"):
    os.environ.setdefault("OPENBLAS_CORETYPE", "SkylakeX")
import faiss
import numpy as np

faiss.omp_set_num_threads(threads)
ROWS, K = 50000, 20


def blas():
    """The BLAS that faiss has loaded, with its own description of itself where it gives one."""
    libraries = {l.split()[-1] for l in open("/proc/self/maps") if any(n in l.lower() for n in ("openblas", "mkl_rt", "libblas"))}
    names = []
    for path in sorted(p for p in libraries if "faiss" in p) or sorted(libraries):
        describe = getattr(ctypes.CDLL(path), "openblas_get_config", None)
        if describe is not None:
            describe.restype = ctypes.c_char_p
            names.append(describe().decode().strip())
        else:
            names.append(path.rsplit("/", 1)[-1])
    return "; ".join(names) or "linked statically"


def compare(dim, rounds):
    x = np.random.default_rng(7).standard_normal((ROWS, dim), dtype=np.float32)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    index = faiss.IndexFlatIP(dim)
    index.add(x)
    result = common.interleaved(
        {"kith": lambda: common.ours("topk", f"topk/{ROWS}/{dim}/{K}", min_time=0),
         "faiss": lambda: common.timed(lambda: index.search(x, K), min_time=0)}, rounds)
    flops = 2.0 * ROWS * ROWS * dim
    rates = {name: round(flops / times["wall_ms"]["min"] / 1e6, 1) for name, times in result.items()}
    return {"rows": ROWS, "dim": dim, "k": K, "times": result, "gflop/s": rates, "faiss / kith": common.ratio(result, "faiss", "kith")}


rounds = common.rounds(3)
common.write("topk", threads, {"faiss": faiss.__version__, "faiss_blas": blas(), "faiss_options": faiss.get_compile_options().strip()},
             [compare(dim, rounds) for dim in (128, 512)])
