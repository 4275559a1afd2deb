#!/usr/bin/env python3
"""Stages that train for hours on a tiny set, all at once, each in a process of its own: memory and open descriptors every minute.

  long_run.py --kith build/cpu/apps/kith --hours 8 [--seconds 60] [--work DIR] [--out bench/results/long_run.json]

A short run is made first; every trained stage then starts from it with more epochs than it can finish, on one thread, and
writes a checkpoint every five seconds. After --hours each is sent SIGTERM, must save and end with status 143, and must
continue when the same command is given again. Noted of each process: resident and anonymous memory, descriptors, threads, and
the epochs done by then.

What grows is judged from the first quarter on, when caches and plans are there: the exit status is 1 where a process has more
open descriptors or threads at the end than at the quarter, where its anonymous memory has grown by more than 1 MiB, or where
one did not stop or continue as it must. It runs at low priority (nice 10): the minutes are of the clock, not of the
processor."""
import argparse, json, os, platform, re, signal, subprocess, sys, tempfile, time

from kills import SETTINGS, TRAINED, write_data

GROWTH_KIB = 1024


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


class LongRun:
    def __init__(self, options):
        self.o, self.base = options, f"{options.work}/base"
        self.commit = subprocess.run(["git", "-C", os.path.dirname(os.path.abspath(__file__)), "rev-parse", "--short", "HEAD"],
                                     capture_output=True, text=True).stdout.strip()
        write_data(f"{options.work}/data")
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
        epochs = [f"{stage}.epochs=1000000", "checkpoint_seconds=5"]
        if stage != "pretext":
            return words + ["--from", self.base] + [w for s in epochs for w in ("--set", s)]
        kept = [s for s in SETTINGS if s.split("=")[0] not in ("pretext.epochs", "checkpoint_seconds")]
        return words + ["--data", f"fashion-mnist:{self.o.work}/data", "--precision", "f32"] + \
            [w for s in kept + epochs for w in ("--set", s)]

    def start(self, stage):
        return subprocess.Popen(self.command(stage), stdout=subprocess.DEVNULL, stderr=open(f"{self.o.work}/{stage}.err", "w"))

    def wait_for_checkpoint(self, stage):
        while not os.path.exists(f"{self.o.work}/{stage}/checkpoint_{stage}.safetensors"):
            time.sleep(0.5)

    def stop(self, stage, child):
        child.send_signal(signal.SIGTERM)
        status = child.wait()
        with open(f"{self.o.work}/{stage}.err") as f:
            return status, f.read()

    def run(self):
        children = {stage: self.start(stage) for stage in TRAINED}
        begin, samples = time.monotonic(), {stage: [] for stage in TRAINED}
        for stage in TRAINED:
            self.wait_for_checkpoint(stage)
        while time.monotonic() - begin < 3600 * self.o.hours:
            time.sleep(self.o.seconds)
            for stage, child in children.items():
                if child.poll() is not None:
                    sys.exit(f"{stage} ended with status {child.returncode}: " + open(f"{self.o.work}/{stage}.err").read())
                samples[stage].append({"minute": round((time.monotonic() - begin) / 60, 2), **status_of(child.pid),
                                       "epoch": epoch_of(f"{self.o.work}/{stage}", stage)})
        ends = {stage: self.stop(stage, child)[0] for stage, child in children.items()}
        return self.judge(samples, ends, round((time.monotonic() - begin) / 60, 1))

    def continues(self, stage):
        checkpoint = f"{self.o.work}/{stage}/checkpoint_{stage}.safetensors"
        before, child = os.stat(checkpoint).st_mtime_ns, self.start(stage)
        while os.stat(checkpoint).st_mtime_ns == before and child.poll() is None:
            time.sleep(0.5)
        said = self.stop(stage, child)[1]
        return bool(re.search(rf"^{stage}: continues in epoch", said, re.M))

    def judge(self, samples, ends, minutes):
        stages, growing = {}, []
        for stage, rows in samples.items():
            quarter, last = rows[len(rows) // 4], rows[-1]
            growth = {k: last[k] - quarter[k] for k in ("anonymous_kib", "rss_kib", "descriptors", "threads", "epoch")}
            stages[stage] = {"since_first_quarter": growth, "stopped_with": ends[stage], "continued": self.continues(stage),
                             "log_kib": os.path.getsize(f"{self.o.work}/{stage}/metrics.jsonl") // 1024, "samples": rows}
            if growth["anonymous_kib"] > GROWTH_KIB or growth["descriptors"] > 0 or growth["threads"] > 0 \
                    or ends[stage] != 128 + signal.SIGTERM or not stages[stage]["continued"]:
                growing.append(stage)
        result = {"minutes": minutes, "commit": self.commit, "machine": platform.machine(), "settings": SETTINGS,
                  "growing": growing, "stages": stages}
        text = json.dumps(result, indent=1)
        text = re.sub(r'\{\s+("minute".*?)\s+\}', lambda m: "{" + re.sub(r"\s*\n\s*", " ", m[1]) + "}", text, flags=re.S)
        if self.o.out:
            with open(self.o.out, "w") as f:
                f.write(text + "\n")
        print(json.dumps({stage: {k: v for k, v in s.items() if k != "samples"} for stage, s in stages.items()}))
        return 1 if growing else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kith", required=True, type=os.path.abspath)
    parser.add_argument("--hours", type=float, default=1)
    parser.add_argument("--seconds", type=float, default=60, help="between two samples")
    parser.add_argument("--work")
    parser.add_argument("--out")
    options = parser.parse_args()
    os.nice(10)
    with tempfile.TemporaryDirectory(prefix="kith_long_", dir=options.work) as work:
        options.work = work
        return LongRun(options).run()


if __name__ == "__main__":
    sys.exit(main())
