#!/usr/bin/env python3
"""kill -9 at random instants over every stage of a small run; resumed, it must end in the same bytes as the undisturbed run.

  kills.py --kith build/cpu/apps/kith [--kills 200] [--ranks 1,2] [--seed 0] [--work DIR] [--out bench/results/kills.jsonl]

Of each number of ranks one run is left alone. The others live through a kill in several stages, drawn at random: a stage has begun
when the last file of the one before is there, and the kill comes after a share of the time that the stage takes undisturbed (and of
what two ranks need to start), drawn uniformly from 0 to 1. Killed are all processes of the run or, with two ranks, in half of the
cases a single one of them, which must end the others. The same command goes on each time. After the last kill of a life the run
ends, and every file is compared: weights, features, neighbours, answers, tables and pictures byte by byte, the log and the summary
without what the clock says. Checkpoints are written at every step, so that one is there at almost any instant; one that stood at
the kill must be the one that the next command continues from.

A line of JSON for each kill and each life, a summary at the end; the exit status is 1 where anything differed or was lost."""
import argparse, itertools, json, os, random, re, shutil, signal, struct, subprocess, sys, tempfile, time

STAGES = [  # name, the file whose presence says that it has begun, and that it has ended
    ("pretext", None, "pretext.safetensors"),
    ("features", "pretext.safetensors", "features_test.npy"),
    ("mine", "features_test.npy", "neighbours_test.npy"),
    ("cluster", "neighbours_test.npy", "cluster.safetensors"),
    ("selflabel", "cluster.safetensors", "selflabel.safetensors"),
    ("refine", "selflabel.safetensors", "refine.safetensors"),
    ("evaluate", "refine.safetensors", "assignments_train.npy"),
    ("report", "assignments_train.npy", None),
]
TRAINED = ("pretext", "cluster", "selflabel", "refine")
SETTINGS = ["data.size=0", "model.width=4", "model.projection=16", "pretext.epochs=4", "pretext.batch=20", "mine.k=5",
            "cluster.epochs=4", "cluster.batch=50", "cluster.heads=3", "selflabel.epochs=4", "selflabel.batch=40",
            "refine.enabled=true", "refine.epochs=3", "refine.batch=40", "evaluate.kmeans_restarts=2", "checkpoint_seconds=0"]
IDENTICAL = (".safetensors", ".npy", ".csv", ".png", ".toml")


def write_data(folder, size=8):
    """Ten classes as in tests/apps/tiny_data.h: a bright bar whose place tells the class, on noise."""
    os.makedirs(folder)
    draw = random.Random(11)
    for split, count in (("train", 200), ("t10k", 60)):
        pixels = bytes((160 if (y if i % 10 < 5 else x) * 5 // size == i % 5 else 20) + draw.randrange(60)
                       for i in range(count) for y in range(size) for x in range(size))
        with open(f"{folder}/{split}-images-idx3-ubyte", "wb") as f:
            f.write(struct.pack(">IIII", 0x803, count, size, size) + pixels)
        with open(f"{folder}/{split}-labels-idx1-ubyte", "wb") as f:
            f.write(struct.pack(">II", 0x801, count) + bytes(i % 10 for i in range(count)))


def without_clock(value):
    if isinstance(value, dict):
        return {k: without_clock(v) for k, v in value.items() if k not in ("seconds", "images_per_second")}
    return [without_clock(v) for v in value] if isinstance(value, list) else value


def content(run):
    out = {}
    for name in sorted(os.listdir(run)):
        with open(f"{run}/{name}", "rb") as f:
            data = f.read()
        if name.endswith(IDENTICAL):
            out[name] = data.replace(os.path.basename(run).encode(), b"RUN") if name.endswith(".toml") else data
        elif name == "metrics.jsonl":
            out[name] = [without_clock(json.loads(line)) for line in data.splitlines()]
        elif name == "summary.json":
            out[name] = without_clock(json.loads(data))
        elif name.startswith("checkpoint") or name.endswith(".partial"):
            out[name] = "left behind"
    return out


def descendants(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children") as f:
            below = [int(word) for word in f.read().split()]
    except OSError:
        return []
    return below + [d for child in below for d in descendants(child)]


def ranks_of(pid):
    """Of the processes below, those that train: kith started by mpirun."""
    out = []
    for d in descendants(pid):
        try:
            with open(f"/proc/{d}/environ", "rb") as f:
                if b"OMPI_COMM_WORLD_RANK=" in f.read():
                    out.append(d)
        except OSError:
            pass
    return out


class Campaign:
    def __init__(self, options):
        self.o, self.draw = options, random.Random(options.seed)
        self.log = open(options.out, "w") if options.out else None
        self.failures, self.kills, self.continued, self.lives = 0, {}, 0, 0
        write_data(f"{options.work}/data")

    def say(self, **line):
        print(json.dumps(line), flush=True)
        if self.log:
            print(json.dumps(line), file=self.log, flush=True)

    def command(self, run, ranks):
        words = [self.o.kith, "run", "--out", run, "--data", f"fashion-mnist:{self.o.work}/data", "--precision", "f32",
                 "--threads", "1"] + [w for s in SETTINGS for w in ("--set", s)]
        return words + (["--ranks", str(ranks)] if ranks > 1 else [])

    def start(self, run, ranks):
        self.err = open(f"{self.o.work}/err", "w+")
        return subprocess.Popen(self.command(run, ranks), stdout=subprocess.DEVNULL, stderr=self.err, start_new_session=True)

    def said(self):
        self.err.seek(0)
        return self.err.read()

    def undisturbed(self, run, ranks):
        """How long each stage takes, by the files that appear."""
        child, begin, ends = self.start(run, ranks), time.monotonic(), {}
        while child.poll() is None:
            for name, _, last in STAGES:
                if last and name not in ends and os.path.exists(f"{run}/{last}"):
                    ends[name] = time.monotonic()
            time.sleep(0.001)
        if child.returncode != 0:
            sys.exit(self.said())
        ends["report"] = time.monotonic()
        took, before = {}, begin
        for name, _, _ in STAGES:
            took[name] = max(ends.get(name, before) - before, 0.002)
            before = max(before, ends.get(name, before))
        return took

    def kill(self, run, ranks, stage, took):
        begun = dict((name, first) for name, first, _ in STAGES)[stage]
        there = {t: os.path.exists(f"{run}/checkpoint_{t}.safetensors") for t in TRAINED}
        share, alone = self.draw.random(), ranks > 1 and self.draw.random() < 0.5
        child = self.start(run, ranks)
        while begun and child.poll() is None and not os.path.exists(f"{run}/{begun}"):
            time.sleep(0.0005)
        time.sleep(share * took[stage])
        below = ranks_of(child.pid)
        one = [self.draw.choice(below)] if alone and below else []
        for pid in one or [child.pid] + descendants(child.pid):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        hit_in = next((name for name, _, last in STAGES if last and not os.path.exists(f"{run}/{last}")), "report")
        child.wait()
        while not one and any(os.path.exists(f"/proc/{pid}/stat") and state(pid) not in "ZX" for pid in below):
            time.sleep(0.001)  # orphans that are dying
        said, killed = self.said(), child.returncode != 0
        resumed = [t for t in TRAINED if re.search(rf"^{t}: continues in epoch", said, re.M)]
        lost = [t for t in TRAINED if there[t] and t not in resumed and f"\n{t}: epoch" in said]
        self.continued += len(resumed)
        self.failures += len(lost)
        self.say(kill=sum(self.kills.values()) + 1, ranks=ranks, aimed_at=stage, hit_in=hit_in if killed else None, share=round(share, 3), of_ms=round(1000 * took[stage]),
                 killed="one rank" if one else "all", continued=resumed, lost=lost)
        if killed:
            self.kills[f"{ranks} {hit_in}"] = self.kills.get(f"{ranks} {hit_in}", 0) + 1
        return killed

    def life(self, ranks, want, took):
        run = f"{self.o.work}/life"
        shutil.rmtree(run, ignore_errors=True)
        chosen = sorted(self.draw.sample(range(len(STAGES)), self.draw.randint(2, 5)))
        hits = sum(self.kill(run, ranks, STAGES[s][0], took) for s in chosen)
        child = self.start(run, ranks)
        status = child.wait()
        got = content(run) if status == 0 else {}
        differ = sorted(n for n in want.keys() | got.keys() if want.get(n) != got.get(n))
        self.lives += 1
        self.failures += bool(differ)
        lines = {f"{side}_line": next((a for a, b in itertools.zip_longest(x.get("metrics.jsonl", []), y.get("metrics.jsonl", []))
                                       if a != b), None) for side, x, y in (("want", want, got), ("got", got, want))}
        self.say(life=self.lives, ranks=ranks, kills=hits, status=status, files=len(want), differ=differ,
                 **(lines if "metrics.jsonl" in differ else {}), **({"said": self.said()} if status else {}))

    def run(self):
        for i, ranks in enumerate(self.o.ranks):
            whole = f"{self.o.work}/whole{ranks}"
            took = self.undisturbed(whole, ranks)
            want, goal = content(whole), self.o.kills * (i + 1) // len(self.o.ranks)
            self.say(ranks=ranks, stages_ms={k: round(1000 * v) for k, v in took.items()}, files=sorted(want))
            while sum(self.kills.values()) < goal:
                self.life(ranks, want, took)
        self.say(kills=sum(self.kills.values()), lives=self.lives, continued_from_checkpoints=self.continued,
                 failures=self.failures, by_ranks_and_stage=dict(sorted(self.kills.items())))
        return 1 if self.failures else 0


def state(pid):
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rsplit(")", 1)[1].split()[0]
    except OSError:
        return "X"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kith", required=True, type=os.path.abspath)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--ranks", type=lambda text: [int(n) for n in text.split(",")], default=[1, 2])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--work")
    parser.add_argument("--out")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kith_kills_", dir=options.work) as work:
        options.work = work
        return Campaign(options).run()


if __name__ == "__main__":
    sys.exit(main())
