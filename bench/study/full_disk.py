#!/usr/bin/env python3
"""A disk that is full at every write, over every stage of a small run and every command that writes; with room, the same bytes.

  full_disk.py --kith build/cpu/apps/kith [--ranks 1,2] [--seed 0] [--step 4] [--runs-only] [--work DIR]
               [--quota | --inodes | --file-size] [--attempts N] [--only NAME,...] [--out bench/results/full_disk.jsonl]

A run directory lies on a tmpfs of its own, which needs root. The run starts with room for all of it, so that it is not refused;
as soon as it has begun the file system is made smaller, to a number of pages that grows from one attempt to the next, until the
run ends: by 1 to 2 * --step pages with a checkpoint at every step, and by one page without any checkpoint, so that the disk is
full at each of the small writes too: logs, results, tables, the page. Each attempt must end with status 1 and, last on standard
error, one line "kith: error: " that says that there is no space; no partial file may lie about; every .safetensors must be
whole; a checkpoint that was there must be the one that the next attempt continues from. Some attempts find the disk full at the
start. The files of the run that ends at last are compared with those of an undisturbed one, as kills.py does. Then the commands
that write files of their own, with room that grows from nothing: what they leave on a full disk must be nothing, or what they
were to write.

--quota takes a quota of btrfs in place of the tmpfs, which is exceeded (EDQUOT) where a disk is full; it counts also what a
file system writes of its own. --inodes limits the number of files and folders in place of bytes. Where no tmpfs can be mounted,
or with --file-size, the size of every file is limited (ulimit -f), which also sends SIGXFSZ; then with one rank alone, as Open
MPI needs larger files than the run does, and its launcher waits for ever where it has none. --only: of the other commands these.
--attempts N grows by up to an Nth of what a finished run holds. A line of JSON for each attempt, a summary at the end; the
exit status is 1 where anything differed, was lost, or was said otherwise."""
import argparse, json, os, random, re, resource, shutil, signal, struct, subprocess, sys, tempfile, time

from disks import AMPLE, PAGE, FileSize, Inodes, Quota, Tmpfs
from kills import IDENTICAL, SETTINGS, TRAINED, content, write_data

FULL = ("No space left on device", "Disk quota exceeded", "File too large", "are free where --out is")


def write_pictures(folder, count=60, size=8):
    draw = random.Random(5)
    for i in range(count):
        os.makedirs(f"{folder}/{'abc'[i % 3]}", exist_ok=True)
        pixels = bytes((170 if c == i % 3 else 30) + draw.randrange(60) for _ in range(size * size) for c in range(3))
        with open(f"{folder}/{'abc'[i % 3]}/{i}.ppm", "wb") as f:
            f.write(b"P6\n%d %d\n255\n" % (size, size) + pixels)


def is_whole(path):
    with open(path, "rb") as f:
        data = f.read()
    if len(data) < 8:
        return False
    head = 8 + struct.unpack("<Q", data[:8])[0]
    if head > len(data):
        return False
    ends = [t["data_offsets"][1] for name, t in json.loads(data[8:head]).items() if name != "__metadata__"]
    return head + max(ends, default=0) == len(data)


def half(got, want):
    """Files that a command has left on a full disk, and that are not what it was to write; of a grid's table not so."""
    return [f"half of {name}" for name in got.keys() & want.keys() if got[name] != want[name] and name != "grid/table.csv"]


class Campaign:
    def __init__(self, options):
        self.o, self.draw = options, random.Random(options.seed)
        self.log = open(options.out, "w") if options.out else None
        self.attempts, self.full_at, self.failures = 0, {}, 0
        write_data(f"{options.work}/data")
        os.makedirs(f"{options.work}/disk")
        self.disk = options.disk(f"{options.work}/disk")
        if isinstance(self.disk, Tmpfs) and not self.disk.mounted:
            self.disk = FileSize(self.disk.folder)
        self.where, self.shrinks = self.disk.folder, self.disk.shrinks

    def say(self, **line):
        print(json.dumps(line), flush=True)
        if self.log:
            print(json.dumps(line), file=self.log, flush=True)

    def environment(self, cache):
        return {**os.environ, "KITH_CACHE": cache}

    def start(self, words, limited, cache=None):
        self.err = open(f"{self.o.work}/err", "w+")
        size = self.disk.size if limited and not self.shrinks else resource.RLIM_INFINITY
        return subprocess.Popen([self.o.kith] + words, stdout=subprocess.DEVNULL, stderr=self.err, start_new_session=True,
                                env=self.environment(cache or f"{self.o.work}/cache"),
                                preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY)))

    def said(self):
        self.err.seek(0)
        return self.err.read()

    def faults(self, status, said):
        """What is wrong with how a command ended on a full disk."""
        lines = said.replace("\n  ", " ").splitlines()  # the error of a grid has an indented line for each run
        errors = [line for line in lines if line.startswith("kith: error: ")]
        found = [] if status == 1 else [f"status {status}"]
        if len(errors) != 1 or errors != lines[-1:] or not any(word in errors[0] for word in FULL):
            found.append("said " + " | ".join(lines[-3:]))
        for folder, _, names in os.walk(self.where):
            found += [f"left {name}" for name in names if name.endswith(".partial")]
            found += [f"damaged {name}" for name in names if name.endswith(".safetensors") and not is_whole(f"{folder}/{name}")]
        return found

    def file_in(self, said):
        """What could not be written; of decoded pictures and of what is refused at the start a word."""
        if FULL[-1] in said:
            return "refused at the start"
        found = re.search(r"kith: error: (?:rank \d+ of \d+: )?(\S+?): ", said)
        name = os.path.basename(found[1]) if found else "?"
        return "decoded pictures" if ".pixels" in name else re.sub(r"\.partial$", "", name)

    def note(self, what, status, said, more_faults=(), **more):
        found = [*self.faults(status, said), *more_faults]
        self.attempts += 1
        self.failures += len(found)
        name = self.file_in(said)
        self.full_at[name] = self.full_at.get(name, 0) + 1
        self.say(attempt=self.attempts, of=what, full_at=name, faults=found, **more)

    # The run.

    def command(self, run, ranks, checkpoints):
        words = ["run", "--out", run, "--data", f"fashion-mnist:{self.o.work}/data", "--precision", "f32", "--threads", "1"]
        settings = SETTINGS if checkpoints else [*SETTINGS, "checkpoint_seconds=3600"]
        return words + [w for s in settings for w in ("--set", s)] + (["--ranks", str(ranks)] if ranks > 1 else [])

    def whole(self, words, run):
        child = self.start(words, limited=False)
        if child.wait() != 0:
            sys.exit(self.said())
        return content(run)

    def begun(self, child):
        """The line that names the device comes when the run has passed what is checked at the start."""
        while child.poll() is None and "CPU, " not in self.said():
            time.sleep(0.001)

    def attempt(self, words, size):
        self.disk.limit(AMPLE if self.shrinks else size)
        child = self.start(words, limited=True)
        self.begun(child)
        self.disk.limit(size)
        return child.wait(), self.said()

    def life(self, ranks, checkpoints):
        name = f"run, {ranks} rank{'s' if ranks > 1 else ''}, {'a checkpoint a step' if checkpoints else 'no checkpoints'}"
        run, whole = f"{self.where}/life", f"{self.o.work}/whole{ranks}{'c' if checkpoints else ''}"
        want, words = self.whole(self.command(whole, ranks, checkpoints), whole), self.command(run, ranks, checkpoints)
        total = sum(os.path.getsize(f"{whole}/{name}") for name in want)
        step = total // PAGE // self.o.attempts if self.o.attempts else 2 * self.o.step * ranks if checkpoints else 1
        self.disk.empty()
        size, status = PAGE, 1
        while status != 0:
            there = {t for t in TRAINED if os.path.exists(f"{run}/checkpoint_{t}.safetensors")}
            if self.shrinks and self.draw.random() < 0.1:
                self.disk.limit(0)
                status, said = self.refused(words)
                self.note(name, status, said, size=self.disk.used(), at_start=True)
            status, said = self.attempt(words, size)
            resumed = {t for t in TRAINED if re.search(rf"^{t}: continues in epoch", said, re.M)}
            lost = [t for t in there - resumed if f"\n{t}: epoch" in said]
            self.failures += len(lost)
            if status != 0:
                self.note(name, status, said, size=size, continued=sorted(resumed), lost=lost)
            size = max(size, self.disk.used()) + PAGE * (self.draw.randint(1, step) if step > 1 else 1)
        got = content(run)
        differ = sorted(n for n in want.keys() | got.keys() if want.get(n) != got.get(n))
        self.failures += len(differ)
        self.say(life=name, files=len(want), differ=differ)

    def refused(self, words):
        child = self.start(words, limited=True)
        return child.wait(), self.said()

    # Commands of other outputs, on pictures.

    def commands(self, at):
        """Name, words with outputs in `at`; everything else lies on another disk."""
        w = self.o.work
        asked = ["--run", f"{w}/pictures", "--data", f"folder:{w}/photos", "--threads", "1"]
        rows, clusters = ["--features", f"{w}/pictures/features_train.npy", "--threads", "1"], f"{w}/pictures/assignments.npy"
        small = [x for s in SETTINGS if not s.startswith("data.size") for x in ("--set", s)] + \
            ["--set", "data.size=8", "--threads", "1"]
        into = ["--data", f"folder:{w}/photos", "--out", f"{at}/i", *small]
        return [
            ("predict", ["predict", *asked, "--out", f"{at}/p.csv", "--probabilities", f"{at}/P.npy"]),
            ("features", ["features", *asked, "--out", f"{at}/F.npy"]),
            ("neighbours", ["neighbours", *asked, "--k", "3", "--out", f"{at}/n.csv"]),
            ("graph npz", ["graph", "--run", f"{w}/pictures", "--out", f"{at}/G.npz"]),
            ("graph csv", ["graph", "--run", f"{w}/pictures", "--out", f"{at}/G.csv"]),
            ("sort", ["sort", *asked, "--into", f"{at}/sorted", "--copy"]),
            ("gallery", ["gallery", *asked, "--out", f"{at}/gallery"]),
            ("export", ["export", "--run", f"{w}/pictures", "--onnx", f"{at}/net.onnx"]),
            ("compare", ["compare", f"{w}/pictures", f"{w}/whole1", "--page", f"{at}/c.html"]),
            ("mine", ["mine", *rows, "--k", "3", "--out", f"{at}/I.npy", "--scores", f"{at}/S.npy"]),
            ("kmeans", ["cluster", *rows, "--clusters", "3", "--method", "kmeans", "--out", f"{at}/c"]),
            ("temi", ["cluster", *rows, "--clusters", "3", "--method", "temi", "--set", "epochs=5", "--out", f"{at}/t"]),
            ("sheet", ["data", "info", f"folder:{w}/photos", "--size", "8", "--sheet", f"{at}/sheet.png"]),
            ("confusion", ["evaluate", "--assignments", clusters, "--labels", clusters, "--confusion", f"{at}/c.csv"]),
            ("import", ["import", f"{w}/pictures/pretext.safetensors", *into]),
            ("from", ["run", "--from", f"{w}/pictures", "--out", f"{at}/b", "--set", "cluster.lambda=2", "--threads", "1"]),
            ("grid", ["ablate", f"{w}/grid.toml", "--out", f"{at}/grid", "--threads", "1"]),
        ]

    def files(self, folder):
        """Every file below, without what the clock says: pages and JSON are only named."""
        out = {}
        for at, _, names in os.walk(folder):
            for name in names:
                path, same = f"{at}/{name}", name.endswith((*IDENTICAL, ".npz", ".onnx", ".ppm"))
                with open(path, "rb") as f:
                    out[os.path.relpath(path, folder)] = f.read().replace(folder.encode(), b"") if same else ""
        out.pop("page", None)
        return out

    def others(self):
        w = self.o.work
        write_pictures(f"{w}/photos")
        self.whole(["run", "--out", f"{w}/pictures", "--data", f"folder:{w}/photos", "--precision", "f32", "--threads", "1"] +
                   [x for s in SETTINGS for x in ("--set", "data.size=8" if s.startswith("data.size") else s)], f"{w}/pictures")
        with open(f"{w}/grid.toml", "w") as f:
            f.write(f'data = "fashion-mnist:{w}/data"\nseeds = [0]\n[set]\n')
            f.write("".join(s + "\n" for s in SETTINGS if not s.startswith(("checkpoint", "mine.k"))))
            f.write("[axes]\nmine.k = [4, 5]\n")
        for name, words in self.commands(f"{w}/plain"):
            if self.o.only and name not in self.o.only:
                continue
            os.makedirs(f"{w}/plain")
            self.expect_done(self.start(words, limited=False))
            want = self.files(f"{w}/plain")
            shutil.rmtree(f"{w}/plain")
            self.grow(name, dict(self.commands(self.where))[name], want)
        self.cache()

    def expect_done(self, child):
        if child.wait() != 0:
            sys.exit(self.said())

    def grow(self, name, words, want, cache=None):
        self.disk.empty()
        room, status = 0 if self.shrinks else 1, 1  # a limit of the size holds for standard error, too
        while status != 0 and room * PAGE < AMPLE:
            self.disk.limit(self.disk.used() + room * PAGE)
            begun = name == "import" and os.path.exists(f"{self.where}/i/stages.json")  # a run by then, which goes on
            child = self.start(["pretext", "--out", f"{self.where}/i"] if begun else words, limited=True, cache=cache)
            status, said = child.wait(), self.said()
            got = self.files(self.where)
            if status != 0:
                self.note(name, status, said, half(got, want), room=room * PAGE)
            room += 1 + room // 4
        differ = sorted(n for n in want.keys() | got.keys() if want.get(n) != got.get(n)) if want else []
        self.failures += len(differ) + status
        self.say(life=name, files=len(got), differ=differ, status=status)

    def cache(self):
        """Decoded pictures: the cache of a folder on the full disk."""
        words = ["data", "info", f"folder:{self.o.work}/photos", "--size", "64"]
        self.grow("cache", words, {}, cache=f"{self.where}/cache")

    def run(self):
        for ranks in self.o.ranks if self.shrinks else [1]:
            self.life(ranks, checkpoints=True)
        self.life(1, checkpoints=False)
        if not self.o.runs_only:
            self.others()
        self.say(attempts=self.attempts, failures=self.failures, disk=self.disk.name,
                 full_at=dict(sorted(self.full_at.items())))
        return 1 if self.failures else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kith", required=True, type=os.path.abspath)
    parser.add_argument("--ranks", type=lambda text: [int(n) for n in text.split(",")], default=[1, 2])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--step", type=int, default=4, help="pages, in the mean")
    parser.add_argument("--attempts", type=int, default=0)
    parser.add_argument("--only", type=lambda text: text.split(","))
    disks = parser.add_mutually_exclusive_group()
    for option, disk in (("--quota", Quota), ("--inodes", Inodes), ("--file-size", FileSize)):
        disks.add_argument(option, dest="disk", action="store_const", const=disk)
    parser.set_defaults(disk=Tmpfs)
    parser.add_argument("--runs-only", action="store_true")
    parser.add_argument("--work")
    parser.add_argument("--out")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # unmounts
    with tempfile.TemporaryDirectory(prefix="kith_full_", dir=options.work) as work:
        options.work = work
        campaign = Campaign(options)
        try:
            return campaign.run()
        finally:
            campaign.disk.close()


if __name__ == "__main__":
    sys.exit(main())
