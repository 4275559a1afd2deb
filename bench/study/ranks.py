#!/usr/bin/env python3
"""Several ranks beside one on this machine: the lists of mining, its memory and time; predicted times beside measured ones.

  ranks.py mine  --kith build/cpu/apps/kith [--rows 100000] [--k 20] [--ranks 2] [--threads 2] [--work DIR] [--out FILE]
  ranks.py steps --kith build/cpu/apps/kith [--images 12000] [--preset quick] [--repeats 3] [--work DIR] [--out FILE]

mine: `kith mine --features` on rows of 128 numbers around 1,000 centres, with one rank of --threads threads and with --ranks
ranks of one. Lists and scores must be the same bytes, and no process may hold more than 1.5 GiB beside the rows that it maps:
VmHWM less the file. Noted of each process: VmHWM, and the most of its memory that is no file's, looked at every 50 ms. A
million rows, which take 22 minutes of the processor for each of the two commands:

  python3 bench/study/ranks.py mine --kith build/cpu/apps/kith --rows 1000000 --out bench/results/ranks/mine-1000000.json

steps: what `kith run --dry-run --ranks 2` says of a step of the pretext and of mining with one rank and with two, of one
thread each, and what they take: of a step the seconds between the ends of two epochs without evaluation, of mining those of
timing.json. Pictures are noise of 28 x 28. Medians over --repeats, in turns; the machine should have nothing else to do, and
its load is noted. The processor's seconds of all ranks for a step, which other work changes less, are those of a run of three
epochs less those of one. The command:

  python3 bench/study/ranks.py steps --kith build/cpu/apps/kith --out bench/results/ranks/steps.json

Exit status 1 where lists differ, memory is beyond the limit or a command fails. Needs NumPy, and a kith with MPI."""
import argparse, filecmp, json, os, re, resource, struct, subprocess, sys, tempfile, time

import numpy as np

DIM, CENTRES, PIECE = 128, 1000, 50_000
LIMIT_KIB = 3 << 19


def processor():
    with open("/proc/cpuinfo") as f:
        fields = dict(line.split(":", 1) for line in f.read().split("\n\n")[0].splitlines() if ":" in line)
    return " ".join(" ".join(v.split()) for k, v in fields.items() if k.strip() in ("model name", "cpu family", "model"))


def commit():
    return subprocess.run(["git", "-C", os.path.dirname(os.path.abspath(__file__)), "rev-parse", "--short", "HEAD"],
                          capture_output=True, text=True).stdout.strip()


def tree(pid):
    """A process and those that it started."""
    found = [pid]
    for p in found:
        try:
            with open(f"/proc/{p}/task/{p}/children") as f:
                found += map(int, f.read().split())
        except OSError:
            pass
    return found


def look(pid, program, seen):
    try:
        if os.readlink(f"/proc/{pid}/exe") != program:
            return
        with open(f"/proc/{pid}/status") as f:
            fields = dict(line.split(":", 1) for line in f)
        kib = {name: int(fields[name].split()[0]) for name in ("VmHWM", "RssAnon", "RssShmem")}
    except (OSError, KeyError):
        return  # it has ended
    of = seen.setdefault(pid, {"peak_kib": 0, "own_kib": 0})
    of["peak_kib"] = max(of["peak_kib"], kib["VmHWM"])
    of["own_kib"] = max(of["own_kib"], kib["RssAnon"] + kib["RssShmem"])


def run(words):
    """Seconds, the processor's seconds of all processes, and the memory of each that is a kith."""
    before, began, seen = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic(), {}
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(words, stdout=said, stderr=said)
        while process.poll() is None:
            for pid in tree(process.pid):
                look(pid, words[0], seen)
            time.sleep(0.05)
        seconds = time.monotonic() - began
        if process.returncode:
            said.seek(0)
            sys.exit(f"{' '.join(words)}: exit status {process.returncode}\n{said.read()}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"seconds": round(seconds, 2), "processor_seconds": round(cpu, 2),
            "processes": [seen[pid] for pid in sorted(seen)]}


def write_rows(path, rows):
    draw = np.random.default_rng(20)
    centres = draw.standard_normal((CENTRES, DIM), dtype=np.float32)
    out = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=(rows, DIM))
    for first in range(0, rows, PIECE):
        n = min(PIECE, rows - first)
        out[first:first + n] = centres[draw.integers(CENTRES, size=n)] + draw.standard_normal((n, DIM), dtype=np.float32)
    out.flush()


def mine(o):
    features = f"{o.work}/features-{o.rows}.npy"
    write_rows(features, o.rows)
    rows_kib = os.path.getsize(features) >> 10
    out = {"what": "kith mine --features", "rows": o.rows, "columns": DIM, "k": o.k, "file_kib": rows_kib, "limit_kib": LIMIT_KIB}
    files = {}
    for name, more in (("one", ["--threads", str(o.threads)]), ("several", ["--ranks", str(o.ranks), "--threads", "1"])):
        files[name] = [f"{o.work}/{name}-{o.rows}.npy", f"{o.work}/{name}-{o.rows}-scores.npy"]
        words = [o.kith, "mine", "--features", features, "--k", str(o.k), "--out", files[name][0], "--scores", files[name][1]]
        load = round(os.getloadavg()[0], 1)
        out[name] = {"options": " ".join(more), "load_before": load, **run(words + more)}
        print(name, json.dumps(out[name]), file=sys.stderr, flush=True)
    out["same_lists_and_scores"] = all(filecmp.cmp(a, b, shallow=False) for a, b in zip(files["one"], files["several"]))
    # A rank starts as the command that starts mpirun: that one has neither rows nor lists.
    largest = max(p["peak_kib"] for name in files for p in out[name]["processes"])
    out["largest_beside_the_rows_kib"] = max(largest - rows_kib, max(p["own_kib"] for n in files for p in out[n]["processes"]))
    for path in [features] + files["one"] + files["several"]:
        os.remove(path)
    return out, out["same_lists_and_scores"] and out["largest_beside_the_rows_kib"] <= LIMIT_KIB


def write_pictures(folder, train, test, size=28):
    os.makedirs(folder)
    draw = np.random.default_rng(3)
    for split, count in (("train", train), ("t10k", test)):
        with open(f"{folder}/{split}-images-idx3-ubyte", "wb") as f:
            f.write(struct.pack(">IIII", 0x803, count, size, size))
            f.write(draw.integers(256, size=count * size * size, dtype=np.uint8).tobytes())
        with open(f"{folder}/{split}-labels-idx1-ubyte", "wb") as f:
            f.write(struct.pack(">II", 0x801, count) + (np.arange(count, dtype=np.uint8) % 10).tobytes())


class Steps:
    def __init__(self, o):
        self.o, self.runs = o, 0
        write_pictures(f"{o.work}/pictures", o.images, 1000)

    def words(self, command, ranks, epochs):
        more = ["--ranks", str(ranks)] if ranks > 1 else []
        sets = [f"pretext.epochs={epochs}", "pretext.knn_every=0", "data.size=0", "checkpoint_seconds=100000"]
        self.runs += 1
        self.out = f"{self.o.work}/run{self.runs}"
        return [self.o.kith, command, "--data", f"fashion-mnist:{self.o.work}/pictures", "--preset", self.o.preset,
                "--out", self.out, "--precision", "f32", "--threads", "1"] + more + [w for s in sets for w in ("--set", s)]

    def predicted(self):
        """Milliseconds to compute and to talk, of one rank and of two: the table of the dry run."""
        done = subprocess.run(self.words("run", 2, 3) + ["--dry-run"], capture_output=True, text=True)
        if done.returncode:
            sys.exit(done.stderr)
        lines = done.stdout.splitlines()
        at = next(n for n, line in enumerate(lines) if line.startswith("ms to compute + to talk"))
        names = re.split(r"\s{2,}", lines[at].strip())[1:]
        out = {}
        for line in lines[at + 1:]:
            row = re.match(r"([12]) ranks?\s", line)
            if row:
                times = [float(a) + float(b) for a, b in re.findall(r"([\d.e-]+) \+ ([\d.e-]+)", line)]
                of = dict(zip(names, times))
                out[int(row[1])] = {"step_ms": of["pretext step"], "mining_ms": of["mining"]}
        return out

    def measured(self, ranks):
        short = run(self.words("pretext", ranks, 1))
        whole = run(self.words("pretext", ranks, 3))
        with open(f"{self.out}/metrics.jsonl") as f:
            ends = [line for line in map(json.loads, f) if line.get("epoch_end") and line.get("stage") == "pretext"]
        with open(f"{self.out}/config.toml") as f:
            batch = int(re.search(r"\[pretext\][^\[]*?^batch = (\d+)", f.read(), re.M | re.S)[1])
        steps = self.o.images // min(batch, self.o.images)
        seconds = [b["seconds"] - a["seconds"] for a, b in zip(ends, ends[1:])]
        mined = [self.o.kith, "mine", "--out", self.out, "--threads", "1"] + (["--ranks", str(ranks)] if ranks > 1 else [])
        run(mined)
        with open(f"{self.out}/timing.json") as f:
            mining = json.load(f)["mine"]
        return {"step_ms": 1e3 * min(seconds) / steps, "mining_ms": 1e3 * mining,
                "processor_ms_a_step": 1e3 * (whole["processor_seconds"] - short["processor_seconds"]) / (2 * steps)}


def steps(o):
    study = Steps(o)
    rounds = []
    for _ in range(o.repeats):
        now = {"load_before": round(os.getloadavg()[0], 1), "predicted": study.predicted(),
               "measured": {ranks: study.measured(ranks) for ranks in (1, 2)}}
        rounds.append(now)
        print(json.dumps(now), file=sys.stderr, flush=True)
    median = {}
    for ranks in (1, 2):
        of = {}
        for kind, names in (("predicted", ("step_ms", "mining_ms")),
                            ("measured", ("step_ms", "mining_ms", "processor_ms_a_step"))):
            of[kind] = {name: round(float(np.median([r[kind][ranks][name] for r in rounds])), 2) for name in names}
        of["predicted_over_measured"] = {name: round(of["predicted"][name] / of["measured"][name], 2)
                                         for name in ("step_ms", "mining_ms")}
        median[f"{ranks} x 1 thread"] = of
    return {"what": f"--preset {o.preset}, {o.images} train images", "medians": median, "rounds": rounds}, True


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", choices=("mine", "steps"))
    parser.add_argument("--kith", required=True)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--k", type=int, default=20)
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--images", type=int, default=12_000)
    parser.add_argument("--preset", default="quick")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--work")
    parser.add_argument("--out")
    o = parser.parse_args()
    o.kith = os.path.realpath(o.kith)
    with tempfile.TemporaryDirectory(dir=o.work) as o.work:
        found, good = {"mine": mine, "steps": steps}[o.study](o)
    machine = {"processor": processor(), "cores": len(os.sched_getaffinity(0)), "commit": commit()}
    text = json.dumps({**machine, **found}, indent=1) + "\n"
    if o.out:
        os.makedirs(os.path.dirname(os.path.abspath(o.out)), exist_ok=True)
        with open(o.out, "w") as f:
            f.write(text)
    print(text, end="")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
