"""Exact top-20 of 50,000 unit rows among themselves: kith against PyTorch (products in fp16, or TF32, then torch.topk, a block of
queries at a time), faiss GpuIndexFlatIP and cuVS brute force. kith's lists are certified to be those of exact dot products;
those of fp16 or TF32 products are not.

    KITH_TREE=build/cuda python bench/rivals/gpu_topk.py topk.json
"""

import gpu_common

args = gpu_common.start(__doc__)
import torch

c = gpu_common.Comparison("topk", args, "self included")
ROWS, K = (50000, 20) if c.cuda else (10000, 20)
BLOCK = 10000


def unit_rows(dim):
    generator = torch.Generator(c.device).manual_seed(7)
    return torch.nn.functional.normalize(torch.randn(ROWS, dim, device=c.device, generator=generator))


def pytorch(dim, dtype, tf32):
    def make():
        torch.backends.cuda.matmul.allow_tf32 = tf32
        x = unit_rows(dim).to(dtype)
        return lambda: [torch.topk(x[i : i + BLOCK] @ x.T, K) for i in range(0, ROWS, BLOCK)]

    return make


def faiss_flat(dim):
    def make():
        import faiss

        x = unit_rows(dim).cpu().numpy()
        index = faiss.IndexFlatIP(dim)
        if c.cuda:
            import faiss.contrib.torch_utils  # torch tensors in and out: no copy through the host

            resources = faiss.StandardGpuResources()  # not in faiss-cpu
            index = faiss.GpuIndexFlatIP(resources, dim)
            x = unit_rows(dim)
        index.add(x)
        return lambda: index.search(x, K)

    return make


def cuvs_brute_force(dim):
    def make():
        from cuvs.common import Resources
        from cuvs.neighbors import brute_force

        resources, x = Resources(stream=torch.cuda.current_stream().cuda_stream), unit_rows(dim)
        index = brute_force.build(x, metric="inner_product", resources=resources)
        return lambda: brute_force.search(index, x, K, resources=resources)

    return make


def rivals(dim):
    if not c.cuda:
        return {"pytorch f32": pytorch(dim, torch.float32, False), "faiss": faiss_flat(dim)}
    return {"pytorch fp16": pytorch(dim, torch.float16, False), "pytorch TF32": pytorch(dim, torch.float32, True),
            "faiss": faiss_flat(dim), "cuVS": cuvs_brute_force(dim)}


dims = (128, 512) if c.cuda else (128,)
c.compare("topk", [(f"{ROWS} rows, dim {dim}", [f"topk/{ROWS}/{dim}/{K}"], rivals(dim)) for dim in dims])
c.finish()
