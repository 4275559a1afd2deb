"""Shared by the comparisons: pinning, interleaved timing, the machine, the result file.

A comparison is a script `bench/rivals/NAME.py` that times our benchmark program and the rival in turns, on the same
processors with the same number of threads, and writes `bench/results/NAME.json`. Call `pin()` before importing a library
that starts threads.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("KITH_BUILD", ROOT / "build/cpu"))


def pin(threads=2):
    """This process, its children and their OpenMP threads: the first `threads` processors it may use (see taskset)."""
    cpus = sorted(os.sched_getaffinity(0))[:threads]
    if len(cpus) < threads:
        sys.exit(f"{threads} processors wanted, {len(cpus)} available")
    os.sched_setaffinity(0, cpus)
    os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = str(threads)
    os.environ["OMP_WAIT_POLICY"] = "passive"  # a waiting thread gives its processor back
    return threads


def rounds(default):
    """The one argument of a comparison."""
    parser = argparse.ArgumentParser(description=sys.modules["__main__"].__doc__)
    parser.add_argument("rounds", nargs="?", type=int, default=default, help="how often the sides take turns (%(default)s)")
    return parser.parse_args().rounds


def ours(program, name, min_time=0.2, folder="kernels"):
    """One sample of a benchmark of ours, by its full name: wall and processor milliseconds of one call."""
    command = [BUILD / f"bench/{folder}/bench_{program}", f"--benchmark_filter=^{name}/", "--benchmark_format=json",
               f"--benchmark_min_time={min_time}"]
    report = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    (row,) = report["benchmarks"]
    if row.get("error_occurred"):
        sys.exit(f"{name}: {row['error_message']}")
    return {"wall_ms": row["real_time"], "cpu_ms": row["cpu_time"]}


def timed(call, min_time=0.2):
    """One sample of a Python callable: the mean over as many calls as fill `min_time` seconds, at least one."""
    calls, wall, cpu = 0, time.perf_counter(), time.process_time()
    while calls == 0 or time.perf_counter() - wall < min_time:
        call()
        calls += 1
    return {"wall_ms": 1e3 * (time.perf_counter() - wall) / calls, "cpu_ms": 1e3 * (time.process_time() - cpu) / calls}


def interleaved(samplers, rounds):
    """{name: function returning one sample} in turns, so that a change of the machine's load meets everybody."""
    samples = {name: [] for name in samplers}
    for _ in range(rounds):
        for name, sampler in samplers.items():
            samples[name].append(sampler())

    def summary(rows, key):
        values = sorted(row[key] for row in rows)
        return {"min": values[0], "median": statistics.median(values), "max": values[-1]}

    return {name: {key: summary(rows, key) for key in rows[0]} for name, rows in samples.items()}


def ratio(result, rival, own):
    """How many times as long the rival takes; processor time stands beside wall time for machines with other load."""
    return {f"{key}_{which}": round(result[rival][key][which] / result[own][key][which], 2)
            for key in ("wall_ms", "cpu_ms") for which in ("min", "median")}


def alone(*command):
    """What a program prints, as JSON: its last line. A process of its own has a memory of its own."""
    output = subprocess.run([str(word) for word in command], check=True, stdout=subprocess.PIPE, text=True).stdout
    return json.loads(output.splitlines()[-1])


def peak_memory(call):
    """Bytes resident before a call, and the most from then on, as bench/study/process.cpp measures them for kith."""
    def status(field):
        return next(1024 * int(line.split()[1]) for line in open("/proc/self/status") if line.startswith(field))

    Path("/proc/self/clear_refs").write_text("5")  # the peak begins again at what is resident now
    before = status("VmRSS:")
    kept = call()  # noqa: F841
    return {"before": before, "peak": status("VmHWM:")}


def commit():
    """Of this checkout; of the tree that `make dist` made."""
    if (ROOT / "commit").exists():
        return (ROOT / "commit").read_text().strip()
    try:
        described = subprocess.run(["git", "-C", ROOT, "describe", "--always", "--dirty"], capture_output=True, text=True)
        return described.stdout.strip()
    except FileNotFoundError:
        return ""


def has_flag(flag):
    """Whether the processor has a set of instructions, by its name in /proc/cpuinfo."""
    return any(flag in line.split() for line in open("/proc/cpuinfo") if line.startswith("flags"))


def precisions():
    """Those that the training runs in on this processor."""
    return ["f32", "bf16"] if has_flag("avx512_bf16") or has_flag("amx_bf16") else ["f32"]


def machine(threads):
    lines = [l.split(":", 1) for l in open("/proc/cpuinfo") if ":" in l]
    said = {name.strip(): value.strip() for name, value in reversed(lines)}  # of the first processor
    return {"processor": said.get("model name", "unknown"), "family": said.get("cpu family", ""), "model": said.get("model", ""),
            "processors": os.cpu_count(), "threads": threads, "load_average": os.getloadavg()[0],
            "system": platform.platform(), "python": platform.python_version(), "commit": commit()}


def refuse_changes(name):
    if commit().endswith("-dirty"):
        raise SystemExit(f"bench/results/{name}.json is not written: the tree has uncommitted changes, which no commit would name")


def write(name, threads, versions, rows):
    refuse_changes(name)
    for row in rows:
        print(json.dumps(row))
    save(name, machine(threads), versions, rows)


def results(name):
    return ROOT / "bench/results" / f"{name}.json"


def save(name, measured_on, versions, rows):
    results(name).parent.mkdir(exist_ok=True)
    results(name).write_text(json.dumps({"machine": measured_on, "versions": versions, "rows": rows}, indent=1) + "\n")
    print(f"written: {results(name).relative_to(ROOT)}", flush=True)
