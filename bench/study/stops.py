#!/usr/bin/env python3
"""SIGTERM and SIGINT at random instants of what takes long; how soon it ends, how, and what the same command comes to then.

  stops.py --kith build/cpu/apps/kith [--stops 6] [--only NAME,...] [--seed 0] [--work DIR] [--memory MIB,...]
           [--out bench/results/stops.jsonl]

Of each of these commands one is left alone, which tells how long it takes: a run on images with every stage, with one rank and
with two; the clustering of rows by k-means, TEMI and TURTLE, and with their number searched for; the mining of rows. Another
is sent a signal, SIGTERM and SIGINT by turns, --stops times, after a share of that time that is drawn at random, and the same command
goes on. Each must end with 128 + the signal, or with 0 where it was done; `seconds` says how soon. At last the command ends and
its files are compared with those of the undisturbed one, without what the clock says.

--memory MIB,...: in place of signals, a memory control group (version 1 or 2, which needs root) that allows so much, one after
another. Each must end with an error that says so (at the start what it needs), by the kernel's signal 9, or be done; without a
limit the same command must come to the same.

A line of JSON for each stop and command, a summary at the end; the exit status is 1 where anything differed, ended otherwise,
or took longer than --patience seconds of the processor, which is what other programs leave unchanged."""
import argparse, json, os, random, shutil, signal, struct, subprocess, sys, tempfile, time

from kills import SETTINGS, content, write_data

RUN = [s for s in SETTINGS if not s.startswith(("model.width", "pretext.epochs", "checkpoint", "data.size"))] + \
    ["data.size=0", "model.width=8", "pretext.epochs=2", "checkpoint_seconds=1"]
CLOCK = (".html", "timing.json", "run.json")


def write_rows(path, rows=4000, columns=64, centres=10):
    """Rows about some centres, in NumPy's format."""
    draw = random.Random(3)
    mean = [[draw.gauss(0, 1) for _ in range(columns)] for _ in range(centres)]
    head = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {columns}), }}"
    head += " " * (63 - (10 + len(head)) % 64) + "\n"
    with open(path, "wb") as f:
        f.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head.encode())
        for i in range(rows):
            f.write(struct.pack(f"<{columns}f", *(m + draw.gauss(0, 0.7) for m in mean[i % centres])))


def used_by(pid):
    """Seconds of the processor, of a process that is there."""
    try:
        with open(f"/proc/{pid}/stat") as f:
            ticks = f.read().rsplit(")", 1)[1].split()[11:15]
        return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")
    except OSError:
        return 0.0


class Campaign:
    def __init__(self, options):
        self.o, self.draw, self.failures, self.stops, self.slowest = options, random.Random(options.seed), 0, 0, 0
        self.log = open(options.out, "w") if options.out else None
        write_data(f"{options.work}/data", size=16)
        write_rows(f"{options.work}/rows.npy")
        self.group = self.made_group() if options.memory else None

    def say(self, **line):
        print(json.dumps(line), flush=True)
        if self.log:
            print(json.dumps(line), file=self.log, flush=True)

    def commands(self, at):
        rows = ["--features", f"{self.o.work}/rows.npy", "--threads", "1"]
        run = ["run", "--out", at, "--data", f"fashion-mnist:{self.o.work}/data", "--precision", "f32", "--threads", "1"] + \
            [w for s in RUN for w in ("--set", s)]
        cluster = ["cluster", *rows, "--out", at, "--method"]
        return {"run": run, "run, 2 ranks": [*run, "--ranks", "2"],
                "kmeans": [*cluster, "kmeans", "--clusters", "10", "--set", "restarts=40"],
                "temi": [*cluster, "temi", "--clusters", "10", "--set", "epochs=6"],
                "turtle": [*cluster, "turtle", "--clusters", "10", "--set", "steps=200"],
                "clusters": [*cluster, "kmeans", "--clusters", "4,6,8,10,12"],
                "mine": ["mine", *rows, "--k", "20", "--out", f"{at}/I.npy"]}

    # A memory control group.

    def made_group(self):
        for root, limit in (("/sys/fs/cgroup/memory", "memory.limit_in_bytes"), ("/sys/fs/cgroup", "memory.max"),
                            ("/sys/fs/cgroup/unified", "memory.max")):
            group = f"{root}/kith_stops_{os.getpid()}"
            try:
                os.mkdir(group)
                self.limit = f"{group}/{limit}"
                self.allow(self.o.memory[-1])
                return group
            except OSError:
                if os.path.isdir(group):
                    os.rmdir(group)
        sys.exit("no memory control group can be made here; root, or ulimit -v in its place")

    def allow(self, mib):
        with open(self.limit, "w") as f:
            f.write(str(mib << 20))

    def close(self):
        if self.group:
            os.rmdir(self.group)

    def enter(self):
        if self.group:
            with open(f"{self.group}/cgroup.procs", "w") as f:
                f.write(str(os.getpid()))

    def start(self, words, limited=False):
        self.err = open(f"{self.o.work}/err", "w+")
        return subprocess.Popen([self.o.kith] + words, stdout=subprocess.DEVNULL, stderr=self.err, start_new_session=True,
                                env={**os.environ, "KITH_CACHE": f"{self.o.work}/cache"},
                                preexec_fn=self.enter if limited else None)

    def said(self):
        self.err.seek(0)
        return self.err.read()

    def content(self, at):
        return {name: data for name, data in content(at).items() if not name.endswith(CLOCK)}

    def undisturbed(self, words, at):
        shutil.rmtree(at, ignore_errors=True)
        os.makedirs(os.path.dirname(at) if "run" in words or "cluster" in words else at, exist_ok=True)
        begin, child = time.monotonic(), self.start(words)
        if child.wait() != 0:
            sys.exit(self.said())
        return time.monotonic() - begin, self.content(at)

    def judge(self, name, said, **line):
        errors = [text for text in said.splitlines() if text.startswith("kith: error: ")]
        faults = line.pop("faults")
        self.stops += 1
        self.failures += len(faults)
        self.say(stop=self.stops, of=name, **line, last=(errors or said.splitlines() or [""])[-1].replace(self.o.work, "DIR"),
                 faults=faults)

    def stop(self, name, words, which, after):
        child = self.start(words)
        time.sleep(after)
        begin, used = time.monotonic(), used_by(child.pid)
        os.kill(child.pid, which)  # there until it is waited for
        _, ended, usage = os.wait4(child.pid, 0)
        child.returncode = status = os.waitstatus_to_exitcode(ended)
        clock, took, said = time.monotonic() - begin, usage.ru_utime + usage.ru_stime - used, self.said()
        killed = status == -which  # before it listens
        faults = [] if status in (0, 128 + which) or killed else [f"status {status}"]
        faults += [f"{took:.1f} seconds of the processor"] if took > self.o.patience else []
        self.slowest = max(self.slowest, took)
        self.judge(name, said, signal=signal.Signals(which).name, after=round(after, 2), status=status, seconds=round(clock, 2),
                   processor_seconds=round(took, 2), faults=faults)
        return status

    def starve(self, name, words, mib):
        self.allow(mib)
        child = self.start(words, limited=True)
        status = child.wait()
        said = self.said()
        lines = [text for text in said.splitlines() if text.startswith("kith: error: ")]
        told = status == 1 and len(lines) == 1 and ("out of memory" in said or "of memory, mostly for" in said)  # at the start
        killed = status in (-9, 137) or "signal 9" in said
        ended = told or killed or status == 0
        self.judge(name, said, memory_mib=mib, status=status, faults=[] if ended else [f"status {status}"])

    def one(self, name):
        whole, at = f"{self.o.work}/whole/out", f"{self.o.work}/cut/out"
        took, want = self.undisturbed(self.commands(whole)[name], whole)
        shutil.rmtree(f"{self.o.work}/cut", ignore_errors=True)
        words, count = self.commands(at)[name], self.o.stops
        os.makedirs(os.path.dirname(at) if "run" in words or "cluster" in words else at)
        if self.group:
            for mib in self.o.memory:
                self.starve(name, words, mib)
        else:
            for i in range(count):  # what has passed is not done again
                share = (self.draw.random() + (0 if name.startswith("run") else i)) / count
                if self.stop(name, words, (signal.SIGTERM, signal.SIGINT)[i % 2], share * took) == 0:
                    break
        status = self.start(words).wait()
        got = self.content(at) if status == 0 else {}
        differ = sorted(n for n in want.keys() | got.keys() if want.get(n) != got.get(n))
        self.failures += bool(differ) + (status != 0)
        self.say(command=name, undisturbed_seconds=round(took, 1), status=status, files=len(want), differ=differ,
                 **({} if status == 0 else {"said": self.said()}))

    def run(self):
        for name in self.commands("x"):
            if not self.o.only or name in self.o.only:
                self.one(name)
        self.say(stops=self.stops, slowest_processor_seconds=round(self.slowest, 2), failures=self.failures)
        return 1 if self.failures else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kith", required=True, type=os.path.abspath)
    parser.add_argument("--stops", type=int, default=6)
    parser.add_argument("--only", type=lambda text: text.split("+"), help="names, with + between")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--memory", type=lambda text: [int(n) for n in text.split(",")])
    parser.add_argument("--patience", type=float, default=3)
    parser.add_argument("--work")
    parser.add_argument("--out")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kith_stops_", dir=options.work) as work:
        options.work = work
        campaign = Campaign(options)
        try:
            return campaign.run()
        finally:
            campaign.close()


if __name__ == "__main__":
    sys.exit(main())
