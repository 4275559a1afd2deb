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
K = 20


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


def draw(rows, dim):
    x = np.random.default_rng(7).standard_normal((rows, dim), dtype=np.float32)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    return x


def index_of(x):
    index = faiss.IndexFlatIP(x.shape[1])
    index.add(x)
    return index


def compare(rows, dim, rounds, queries=None):
    """Rows among themselves, or the first of them as queries among all."""
    x = draw(rows, dim)
    index = index_of(x)
    name = f"topk/{rows}/{dim}/{K}" if queries is None else f"topk_queries/{rows}/{dim}/{K}/{queries}"
    queries = queries or rows
    min_time = 0.2 if rows * queries < 1e9 else 0
    result = common.interleaved(
        {"kith": lambda: common.ours("topk", name, min_time),
         "faiss": lambda: common.timed(lambda: index.search(x[:queries], K), min_time)}, rounds)
    flops = 2.0 * queries * rows * dim
    rates = {name: round(flops / times["wall_ms"]["min"] / 1e6, 1) for name, times in result.items()}
    return {"rows": rows, "dim": dim, "k": K, "queries": queries, "times": result, "gflop/s": rates,
            "faiss / kith": common.ratio(result, "faiss", "kith")}


def versions():
    return {"faiss": faiss.__version__, "faiss_blas": blas(), "faiss_options": faiss.get_compile_options().strip()}


def main():
    rounds = common.rounds(3)
    common.write("topk", threads, versions(), [compare(50000, dim, rounds) for dim in (128, 512)])


if __name__ == "__main__":
    main()
