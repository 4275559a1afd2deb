#!/usr/bin/env python3
"""Stages that train for hours on a tiny set, all at once, each in a process of its own: memory and open descriptors every minute.

  long_run.py --kith build/cpu/apps/kith --work DIR --hours 8 [--seconds 60] [--out bench/results/long_run.json]
  long_run.py --work DIR --report [--before FILE] [--out FILE]   the result of what DIR has by now, also while the run goes on

A short run is made first; every trained stage then starts from it with more epochs than it can finish, on one thread, and
writes a checkpoint every five seconds. After --hours, or where this program is sent SIGTERM, each stage is sent SIGTERM, must
save and end with status 143, and must continue when the same command is given again. Noted of each process: resident and
anonymous memory, descriptors, threads, and the epochs done by then, a line of DIR/samples.jsonl as each is taken.

The same command on the same DIR goes on after a stop, a kill or a machine that was switched off: a new leg, whose stages must
continue from their checkpoints. A leg's processes are new, so each leg is judged by itself; the minutes up to its last sample
add up to --hours. DIR/STAGE.err holds the last 64 KiB of what a stage said. Of 100 samples and more, a part is in the result.
Where DIR was lost, --report --before FILE puts the legs of a result of before in front of those of a new DIR.

What grows is judged from a leg's first quarter on, when caches and plans are there: the exit status is 1 where a process has
more open descriptors or threads at the end than at the quarter, where its anonymous memory has grown by more than 1 MiB, or
where one ended by itself, or did not stop or continue as it must. A leg of fewer than eight samples is not judged, and its
minutes do not count. It runs at low priority (nice 10): the minutes are of the clock, not of the processor."""
import argparse, ctypes, hashlib, json, os, platform, re, signal, subprocess, sys, threading, time

from kills import SETTINGS, TRAINED, write_data

GROWTH_KIB, KEPT, LEAST, SHOWN = 1024, 1 << 16, 8, 100
JUDGED = ("anonymous_kib", "rss_kib", "descriptors", "threads", "epoch")
PR_SET_PDEATHSIG = 1


def status_of(pid):
    with open(f"/proc/{pid}/status") as f:
        fields = dict(line.split(":", 1) for line in f)
    kib = {name: int(fields[name].split()[0]) for name in ("VmRSS", "RssAnon")}
    return {"rss_kib": kib["VmRSS"], "anonymous_kib": kib["RssAnon"], "descriptors": len(os.listdir(f"/proc/{pid}/fd")),
            "threads": int(fields["Threads"])}


def epoch_of(run, stage):
    """Of the last line that ends an epoch; the log may be long, its end is enough."""
    with open(f"{run}/metrics.jsonl", "rb") as f:
        f.seek(max(0, os.fstat(f.fileno()).st_size - 65536))
        lines = f.read().splitlines()[1:]
    ends = [json.loads(line) for line in lines if b'"epoch_end"' in line and line.endswith(b"}")]
    return max((line["epoch"] for line in ends if line["stage"] == stage), default=0)


def die_with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Stage:
    """A process and the end of what it says: stages say a line an epoch, which is tens of megabytes in some hours."""

    def __init__(self, words, err):
        self.err, self.tail, self.continued, self.lock = err, b"", False, threading.Lock()
        self.child = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True,
                                      preexec_fn=die_with_parent)
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.child.stderr:
            with self.lock:
                self.continued = self.continued or bool(re.match(rb"\w+: continues in epoch", line))
                self.tail = (self.tail + line)[-2 * KEPT:] if len(self.tail) > 2 * KEPT else self.tail + line

    def keep(self):
        with self.lock, open(self.err, "wb") as f:
            f.write(self.tail[-KEPT:])

    def stop(self):
        self.child.send_signal(signal.SIGTERM)
        status = self.child.wait()
        self.reader.join()
        self.keep()
        return status


class Samples:
    """DIR/samples.jsonl: of each leg how it began, its samples, and how it ended. A last line that was cut short is left out."""

    def __init__(self, path):
        self.path, self.legs, self.bytes = path, [], 0
        if os.path.exists(path):
            with open(path, "rb") as f:
                whole = f.read()
            self.bytes = whole.rfind(b"\n") + 1
            for line in whole[:self.bytes].splitlines():
                self.take(json.loads(line))

    def go_on(self):
        if os.path.exists(self.path):
            os.truncate(self.path, self.bytes)

    def take(self, line):
        if "begun" in line:
            self.legs.append({**line, "samples": {stage: [] for stage in TRAINED}, "ended": None})
        elif "ended" in line:
            self.legs[-1].update(line)
        else:
            self.legs[-1]["samples"][line["stage"]].append({k: v for k, v in line.items() if k != "stage"})

    def add(self, line):
        with open(self.path, "a") as f:
            f.write(json.dumps(line) + "\n")
            f.flush()
            os.fsync(f.fileno())
        self.take(line)

    def minutes(self, leg):
        rows = min(leg["samples"].values(), key=len)
        return rows[-1]["minute"] if len(rows) >= LEAST else 0.0


class LongRun:
    def __init__(self, options, samples):
        self.o, self.base, self.samples, self.stopped = options, f"{options.work}/base", samples, threading.Event()
        signal.signal(signal.SIGTERM, lambda *_: self.stopped.set())
        samples.go_on()
        if not os.path.exists(f"{options.work}/data"):
            write_data(f"{options.work}/data.partial")
            os.rename(f"{options.work}/data.partial", f"{options.work}/data")
        self.must(self.first())

    def must(self, words):
        done = subprocess.run(words, capture_output=True, text=True)
        if done.returncode:
            sys.exit(done.stderr)

    def settings(self, more):
        return [w for s in SETTINGS + more for w in ("--set", s)]

    def first(self):
        return [self.o.kith, "run", "--out", self.base, "--data", f"fashion-mnist:{self.o.work}/data", "--precision", "f32",
                "--threads", "1"] + self.settings([])

    def command(self, stage):
        words = [self.o.kith, stage, "--out", f"{self.o.work}/{stage}", "--threads", "1"]
        epochs = [f"{stage}.epochs=1000000000", "checkpoint_seconds=5"]
        if stage != "pretext":
            return words + ["--from", self.base] + [w for s in epochs for w in ("--set", s)]
        kept = [s for s in SETTINGS if s.split("=")[0] not in ("pretext.epochs", "checkpoint_seconds")]
        return words + ["--data", f"fashion-mnist:{self.o.work}/data", "--precision", "f32"] + \
            [w for s in kept + epochs for w in ("--set", s)]

    def checkpoint(self, stage):
        path = f"{self.o.work}/{stage}/checkpoint_{stage}.safetensors"
        return os.stat(path).st_mtime_ns if os.path.exists(path) else None

    def start(self, stage):
        return Stage(self.command(stage), f"{self.o.work}/{stage}.err")

    def wait_for_checkpoint(self, stage, process, before):
        while self.checkpoint(stage) == before and process.child.poll() is None:
            time.sleep(0.5)

    def failed(self, stage, process):
        process.reader.join()
        process.keep()
        self.samples.add({"ended": {stage: process.child.returncode}, "continues": {}})
        sys.exit(f"{stage} ended with status {process.child.returncode}: {self.o.work}/{stage}.err")

    def begin(self):
        """Starts the stages, each until it has written a checkpoint; says of those that had one whether they continued."""
        before = {stage: self.checkpoint(stage) for stage in TRAINED}
        running = {stage: self.start(stage) for stage in TRAINED}
        began = time.monotonic()
        for stage, process in running.items():
            self.wait_for_checkpoint(stage, process, before[stage])
        with open(self.o.kith, "rb") as f:
            program = hashlib.sha256(f.read()).hexdigest()
        commit = subprocess.run(["git", "-C", os.path.dirname(os.path.abspath(__file__)), "rev-parse", "--short", "HEAD"],
                                capture_output=True, text=True).stdout.strip()
        self.samples.add({"leg": len(self.samples.legs) + 1, "begun": time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime()),
                          "commit": commit, "kith_sha256": program, "machine": platform.machine(),
                          "continued": {stage: running[stage].continued for stage in TRAINED if before[stage] is not None}})
        return running, began

    def run(self):
        so_far = sum(self.samples.minutes(leg) for leg in self.samples.legs)
        if so_far >= 60 * self.o.hours:
            return
        running, began = self.begin()
        while so_far + (time.monotonic() - began) / 60 < 60 * self.o.hours and not self.stopped.wait(self.o.seconds):
            for stage, process in running.items():
                if process.child.poll() is not None:
                    self.failed(stage, process)
                self.samples.add({"stage": stage, "minute": round((time.monotonic() - began) / 60, 2),
                                  **status_of(process.child.pid), "epoch": epoch_of(f"{self.o.work}/{stage}", stage)})
                process.keep()
        ends = {stage: process.stop() for stage, process in running.items()}
        self.samples.add({"ended": ends, "continues": {stage: self.continues(stage) for stage in TRAINED}})

    def continues(self, stage):
        before, process = self.checkpoint(stage), self.start(stage)
        self.wait_for_checkpoint(stage, process, before)
        process.stop()
        return process.continued


def faults(leg, growth):
    """Of a leg: stages that grew, or did not end or continue as they must. A leg that was killed says nothing of its end."""
    found = [f"{stage} grew" for stage, g in growth.items()
             if g["anonymous_kib"] > GROWTH_KIB or g["descriptors"] > 0 or g["threads"] > 0]
    found += [f"{stage} began anew" for stage, continued in leg["continued"].items() if not continued]
    if leg["ended"] is not None:
        found += [f"{stage} ended with {status}" for stage, status in leg["ended"].items() if status != 128 + signal.SIGTERM]
        found += [f"{stage} did not continue" for stage, continued in leg["continues"].items() if not continued]
    return found


def judge(samples, leg):
    minutes, growth = samples.minutes(leg), {}
    if minutes > 0:
        for stage, rows in leg["samples"].items():
            growth[stage] = {k: rows[-1][k] - rows[len(rows) // 4][k] for k in JUDGED}
    about = {k: v for k, v in leg.items() if k != "samples"}
    shown = {stage: rows[::-(-len(rows) // SHOWN) or 1] for stage, rows in leg["samples"].items()}
    return {**about, "minutes": minutes, "samples_taken": min(map(len, leg["samples"].values())),
            "since_first_quarter": growth, "faults": faults(leg, growth), "samples": shown}


def earlier_legs(path):
    if not path:
        return []
    with open(path) as f:
        before = json.load(f)
    if before["settings"] != SETTINGS:
        sys.exit(f"{path}: its stages had other settings than today's")
    return before["legs"]


def report(samples, out, before=None):
    legs = earlier_legs(before)
    legs += [{**judge(samples, leg), "leg": len(legs) + leg["leg"]} for leg in samples.legs]
    found = [f"leg {leg['leg']}: {fault}" for leg in legs for fault in leg["faults"]]
    result = {"hours": round(sum(leg["minutes"] for leg in legs) / 60, 2), "faults": found, "settings": SETTINGS, "legs": legs}
    text = json.dumps(result, indent=1)
    text = re.sub(r'\{\s+("minute"|"anonymous_kib")(.*?)\s+\}', lambda m: "{" + m[1] + re.sub(r"\s*\n\s*", " ", m[2]) + "}", text,
                  flags=re.S)
    if out:
        with open(out, "w") as f:
            f.write(text + "\n")
    print(json.dumps({"hours": result["hours"], "faults": found,
                      "legs": [{k: v for k, v in leg.items() if k != "samples"} for leg in legs]}))
    return 1 if found or result["hours"] == 0 else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kith", type=os.path.abspath)
    parser.add_argument("--work", required=True, type=os.path.abspath)
    parser.add_argument("--hours", type=float, default=1)
    parser.add_argument("--seconds", type=float, default=60, help="between two samples")
    parser.add_argument("--report", action="store_true")
    parser.add_argument("--before", help="with --report: a result whose legs were run before those of DIR")
    parser.add_argument("--out")
    options = parser.parse_args()
    if not options.report and not options.kith:
        parser.error("--kith or --report is needed")
    if options.before and not options.report:
        parser.error("--before goes with --report")
    os.nice(10)
    os.makedirs(options.work, exist_ok=True)
    samples = Samples(f"{options.work}/samples.jsonl")
    if not options.report:
        LongRun(options, samples).run()
    return report(samples, options.out, options.before)


if __name__ == "__main__":
    sys.exit(main())
