"""How time and memory grow: kith beside faiss (exact top-20) and beside PyTorch eager (NT-Xent, the training step), in turns.

    python bench/rivals/scaling.py              # measures: bench/results/scaling.json, 10 minutes
    python bench/rivals/scaling.py topk memory  # these subjects alone; the others' rows stay as they are
    python bench/rivals/scaling.py --plot       # draws that file: bench/results/scaling.png; needs matplotlib
    python bench/rivals/scaling.py --tiny       # tries the script out at small sizes, writes nothing

Needs numpy, faiss-cpu, torch, and build/cpu/bench with bench_topk, bench_ntxent, bench_train_step, bench_process. Each subject
runs in a process of its own, and so does whatever is asked for its memory.

Memory: bytes resident at most (VmHWM) while the work is done, less those resident before: before the rows were made, of a search;
before the network and its images were made, of three training steps. Libraries are loaded by then, rows and results count. faiss
copies its rows into its index, which counts too.
"""

import argparse
import json
import os
import sys
import time

import common

K, DIM = 20, 128
SEARCHES = [(1000, None), (10000, None), (100000, None), (100000, 4096), (1000000, 4096)]  # rows; queries, or themselves
LOSSES = [256, 512, 1024, 2048, 4096, 8192]
STEPS = [(16, views, 32, 3) for views in (16, 32, 64, 128, 256, 512)] + [(width, 64, 32, 3) for width in (32, 64)]
MEMORY = (64, 512, 32, 3)  # width, views, side, channels
TRAINED = 3  # steps
TINY = "--tiny" in sys.argv
if TINY:
    SEARCHES, LOSSES, STEPS, MEMORY = SEARCHES[:2], LOSSES[:2], STEPS[:2], (16, 64, 32, 3)


def turns(wanted):
    """How often the sides take turns: `--turns N` bounds it where time is short."""
    return min(wanted, int(os.environ.get("KITH_TURNS", wanted)))


def process(*words):
    """One measurement of kith's program, in a process of its own."""
    return common.alone(common.BUILD / "bench/study/bench_process", *words)


def rival_process(*words):
    return common.alone(sys.executable, __file__, "--process", *words)


def excess(samples):
    return {name: {**sample, "excess": sample["peak"] - sample["before"]} for name, sample in samples.items()}


def topk():
    import topk as script
    rows = []
    for count, queries in SEARCHES:
        row = script.compare(count, DIM, turns(3 if count < 50000 else 2), queries)
        words = ["topk", count, DIM, K, queries or count]
        row["memory"] = excess({"kith": process(*words), "faiss": rival_process(*words)})
        rows.append(row)
    return rows, script.versions()


def ntxent():
    import ntxent as script
    return [script.compare(count, DIM, turns(5), common.precisions()) for count in LOSSES], {"torch": script.torch.__version__}


def train_step():
    import train_step as script
    return [script.compare(case, turns(2), common.precisions(), 0.5) for case in STEPS], {"torch": script.torch.__version__}


def memory():
    import train_step as script
    samples = {}
    for precision in common.precisions():
        for name, recompute in (("kith", 0), ("kith recompute", 1)):
            samples[f"{name} {precision}"] = process("train_step", *MEMORY, script.FORMATS[precision], TRAINED, recompute)
        samples[f"pytorch {precision}"] = rival_process("train_step", *MEMORY, precision)
    samples = excess(samples)
    shares = {f"{name} {p}": round(samples[f"{name} {p}"]["excess"] / samples[f"pytorch {p}"]["excess"], 3)
              for p in common.precisions() for name in ("kith", "kith recompute")}
    width, views, side, channels = MEMORY
    return [{"width": width, "views": views, "side": side, "channels": channels, "steps": TRAINED, "memory": samples,
             "over_pytorch": shares}], {"torch": script.torch.__version__}


def ceilings():
    """The best of three: what nn/tensor/ceilings.h measures wherever a profile is taken."""
    samples = [process("ceilings") for _ in range(3)]
    return [{name: max(sample[name] for sample in samples) for name in samples[0]}], {}


def rival_memory(what, *words):
    if what == "topk":
        import topk as script
        count, dim, k, queries = map(int, words)

        def search():
            x = script.draw(count, dim)
            index = script.index_of(x)
            return index, index.search(x[:queries], k)

        return common.peak_memory(search)
    import train_step as script
    return common.peak_memory(lambda: script.rival(*map(int, words[:-1]), words[-1]))  # makes three steps


SUBJECTS = {s.__name__: s for s in (memory, ceilings, ntxent, topk, train_step)}


def measure(subjects):
    """Saved after each subject, under the machine and the commit that all began with."""
    if not TINY:
        common.refuse_changes("scaling")
    machine, rows, versions = common.machine(2), [], {}
    if common.results("scaling").exists() and not TINY:
        before = json.loads(common.results("scaling").read_text())
        rows, versions = [row for row in before["rows"] if row["subject"] not in subjects], before["versions"]
    for name in subjects:
        label = {"subject": name, "commit": machine["commit"], "load_average": os.getloadavg()[0]}
        start = time.monotonic()
        part = common.alone(sys.executable, __file__, "--rows", name, *(["--tiny"] if TINY else []))
        versions |= part["versions"]
        rows += [{**label, **row} for row in part["rows"]]
        print(f"{name}: {time.monotonic() - start:.0f} s, load before it {label['load_average']:.1f}", flush=True)
        if not TINY:
            common.save("scaling", machine, versions, rows)
    if TINY:
        print(json.dumps(rows, indent=1))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("subjects", nargs="*", choices=[*SUBJECTS, []], help="all where none is named")
    parser.add_argument("--plot", action="store_true")
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--turns", type=int, help="at most so many, where time is short")
    parser.add_argument("--rows", help=argparse.SUPPRESS)
    parser.add_argument("--process", nargs="+", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.plot:
        import scaling_plot
        return scaling_plot.draw()
    common.pin(2)
    if args.turns:
        os.environ["KITH_TURNS"] = str(args.turns)
    if args.process:
        return print(json.dumps(rival_memory(*args.process)))
    if args.rows:
        rows, versions = SUBJECTS[args.rows]()
        return print(json.dumps({"rows": rows, "versions": versions}))
    measure(args.subjects or list(SUBJECTS))


main()
