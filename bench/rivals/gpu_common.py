"""Shared by the comparisons on a GPU: `gpu_NAME.py OUT.json [--rounds N] [--max-autotune] [--device cpu]`.

kith's benchmark program and the rivals are timed in turns on one device, by one rule: device time between two events around a
single call, caches cold (256 MiB are read before each, as often as it takes for the host to have enqueued the call before the
device gets there), the median of 30 to 200 calls; what is compared is the median over the rounds. KITH_TREE is a build tree or one of `make dist` (build/cuda). A rival that cannot be had is named with the reason. Exit
status 77, with one line, where there is no CUDA device. `--device cpu` runs the same code on the CPU at small sizes: to try it.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import time
import traceback
from pathlib import Path

import common

SAMPLES, FEWEST, SAMPLING_S, WARMUP_S = 200, 30, 0.2, 0.02  # as in bench/machine.cpp
FLUSH_FLOATS = 1 << 26
FASTEST_FLUSH_S, MOST_FLUSHES = 3e-5, 32


def no_device(why):
    print(f"no CUDA device: {why}")
    sys.exit(77)


def start(description):
    """The arguments of a script; leaves where there is nothing to compare on."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("out", nargs="?", type=Path, help="result file, JSON")
    parser.add_argument("--device", default="cuda", choices=["cuda", "cpu"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--max-autotune", action="store_true", help="torch.compile in that mode as well: minutes")
    args = parser.parse_args()
    try:
        import torch
    except ImportError:
        no_device("this Python has no torch")
    if args.device == "cuda" and not torch.cuda.is_available():
        no_device("torch sees none")
    return args


class Comparison:
    def __init__(self, name, args, note=""):
        import torch

        self.torch, self.args, self.name, self.note = torch, args, name, note
        self.cuda = args.device == "cuda"
        self.device = torch.device(args.device)
        self.tree = Path(os.environ.get("KITH_TREE", common.ROOT / f"build/{'cuda' if self.cuda else 'cpu'}"))
        self.rows, self.missing = [], {}
        if self.cuda:
            self.cold = torch.zeros(FLUSH_FLOATS, device=self.device)

    # ---- timing ----
    def sample(self, call):
        """Seconds of single calls: those between the warm-up and enough of them."""
        torch, began = self.torch, time.perf_counter()
        if not self.cuda:
            call()
            seconds = []
            while len(seconds) < 3:
                before = time.perf_counter()
                call()
                seconds.append(time.perf_counter() - before)
            return seconds
        calls, host = 0, 1e30
        while calls < 3 or time.perf_counter() - began < WARMUP_S:
            before = time.perf_counter()
            call()
            host = min(host, time.perf_counter() - before)
            torch.cuda.synchronize()
            calls += 1
        seconds, began = [], time.perf_counter()
        begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        while len(seconds) < SAMPLES and (len(seconds) < FEWEST or time.perf_counter() - began < SAMPLING_S):
            for _ in range(1 + int(min(MOST_FLUSHES, 2 * host / FASTEST_FLUSH_S))):
                self.cold.sum()
            begin.record()
            call()
            end.record()
            end.synchronize()
            seconds.append(begin.elapsed_time(end) * 1e-3)
        return seconds

    def program(self, name):
        wanted = f"bench_{name}_cuda" if self.cuda else f"bench_{name}"
        found = sorted(p for p in self.tree.glob(f"bench/**/{wanted}") if p.is_file())
        if not found:
            sys.exit(f"{self.tree}: no bench/{wanted}; KITH_TREE names a build tree or one of make dist")
        return found[0]

    def kith(self, program, prefixes):
        """One run of a program of ours: {prefix: seconds} of the benchmark whose name begins with each."""
        pattern = "|".join("^" + re.escape(p) + "/" for p in prefixes)
        command = [self.program(program), f"--benchmark_filter={pattern}", "--benchmark_format=json"]
        if not self.cuda:
            command.append("--benchmark_min_time=0.05")
        done = subprocess.run(command, capture_output=True, text=True)
        try:
            lines = json.loads(done.stdout)["benchmarks"]
        except (json.JSONDecodeError, KeyError):
            said = (done.stderr + done.stdout).strip().splitlines() or ["nothing"]
            self.miss(f"kith, {prefixes[0]}", f"exit status {done.returncode}, it said: {said[-1]}")
            return {}
        unit = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0}
        seconds = {}
        for line in lines:
            for prefix in prefixes:
                if (line["name"] + "/").startswith(prefix + "/"):
                    if line.get("error_occurred"):
                        self.miss(f"kith, {prefix}", line["error_message"])
                    else:
                        seconds[prefix] = line["real_time"] * unit[line["time_unit"]]
        for prefix in prefixes:
            if prefix not in seconds and f"kith, {prefix}" not in self.missing:
                self.miss(f"kith, {prefix}", "no such benchmark")
        return seconds

    # ---- rivals ----
    def miss(self, who, why):
        """A rival that cannot be had: noted once, in one line."""
        if who not in self.missing:
            self.missing[who] = str(why).strip().splitlines()[0][:300] if str(why).strip() else "no reason given"

    def made(self, who, make):
        """make(), a rival ready to be called; None where it fails, by its own construction or first call."""
        try:
            call = make()
            if call is not None:
                call()
                if self.cuda:
                    self.torch.cuda.synchronize()
            return call
        except Exception as e:
            if os.environ.get("KITH_RIVALS_TRACE"):
                traceback.print_exc()
            self.miss(who, f"{type(e).__name__}: {e}")
            return None

    def compile_modes(self):
        """What torch.compile is asked for: {name of the variant: mode}."""
        modes = {"compiled": "default"}
        if self.cuda:
            modes["compiled, graphs"] = "reduce-overhead"
        if self.args.max_autotune:
            modes["max-autotune"] = "max-autotune"
        return modes

    def graphed(self, step):
        """The step as one CUDA graph, as ours is; itself on the CPU."""
        torch = self.torch
        if not self.cuda:
            return step
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                step()
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            step()

        def replay(tensors=step):  # what the step reads outside the graph's own memory lives as long as this
            graph.replay()

        return replay

    # ---- a comparison ----
    def compare(self, program, cases):
        """cases: [(description, [names of our benchmarks, whose times add up], {rival: make})]. Of each case everybody takes a turn
        in every round; then its rivals make room for the next."""
        for case, names, makers in cases:
            calls = {who: self.made(f"{who}, {case}", make) for who, make in makers.items()}
            samples = {who: [] for who in ["kith", *calls]}
            for _ in range(self.args.rounds if self.cuda else 1):
                ours = self.kith(program, names)
                if len(ours) == len(names):
                    samples["kith"].append(sum(ours.values()))
                for who, call in calls.items():
                    if call is not None:
                        samples[who].append(statistics.median(self.sample(call)))
            self.row(case, {who: statistics.median(taken) for who, taken in samples.items() if taken})
            calls = call = None
            self.torch._dynamo.reset()
            if self.cuda:
                self.torch.cuda.empty_cache()

    def row(self, case, times):
        kith = times.get("kith")
        self.rows.append({"case": case, "us": {who: round(t * 1e6, 3) for who, t in times.items()},
                          "rival / kith": {who: round(t / kith, 3) for who, t in times.items() if kith and who != "kith"}})
        self.write()  # what a time limit cuts off keeps what it had

    def versions(self):
        torch = self.torch
        versions = {"torch": torch.__version__}
        if self.cuda:
            properties = torch.cuda.get_device_properties(0)
            versions |= {"device": properties.name, "cuda": torch.version.cuda, "cudnn": torch.backends.cudnn.version()}
        return versions

    def machine(self):
        """The machine, and the commit that kith's programs were built from."""
        built = self.tree / "commit"
        return common.machine(os.cpu_count()) | ({"commit": built.read_text().strip()} if built.exists() else {})

    def write(self):
        result = {"name": self.name, "note": self.note, "versions": self.versions(), "machine": self.machine(),
                  "rows": self.rows, "missing": self.missing}
        if self.args.out is not None:
            self.args.out.parent.mkdir(parents=True, exist_ok=True)
            self.args.out.write_text(json.dumps(result, indent=1) + "\n")

    def finish(self):
        print(f"{self.name}: {', '.join(f'{k} {v}' for k, v in self.versions().items())}")
        if self.note:
            print(self.note)
        rivals = list(dict.fromkeys(who for r in self.rows for who in r["us"] if who != "kith"))
        table = [["us of one call", "kith"] + [f"{who} (x kith)" for who in rivals]]
        for r in self.rows:
            cells = [r["case"], f"{r['us']['kith']:.1f}" if "kith" in r["us"] else "-"]
            for who in rivals:
                ratio = r["rival / kith"].get(who)
                cells.append("-" if who not in r["us"] else f"{r['us'][who]:.1f}" + (f" ({ratio:.2f})" if ratio else ""))
            table.append(cells)
        widths = [max(len(row[i]) for row in table) for i in range(len(table[0]))]
        for row in table:
            print("  ".join(cell.ljust(width) if i == 0 else cell.rjust(width) for i, (cell, width) in enumerate(zip(row, widths))))
        for who, why in self.missing.items():
            print(f"left out: {who}: {why}")
        ours = [who for who in self.missing if who.startswith("kith, ")]
        sys.exit(1 if ours or not self.rows else 0)
