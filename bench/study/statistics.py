"""What the running statistics of batch norm do to a result, and what learning adds: Fashion-MNIST, preset quick, 3 sizes x 3 seeds.

  python3 bench/study/statistics.py --data fashion-mnist:DIR --out statistics.json [--work DIR] [--sizes N ...] [--tuned-sizes N ...]
                                    [--seeds N ...] [--parts ...]

Parts (all unless named):
  selflabel  one cluster network per size and seed; from it self-labelling with each selflabel.statistics, once at the preset's
             rate and once at 1e-12, which moves no weight visibly: what the statistics do alone
  cluster    the cluster stage with cluster.frozen=false and strong views, with each cluster.statistics
  pretext    pretext.statistics=reestimate beside moving, under the same cluster stage

Each run gives the accuracy on the train and on the test split and the validation loss (consistency - entropy over the test images
and their 5 neighbours, no labels). Choose by the first and the last. Runs that fail are listed. What is done already in --work
is not repeated. KITH is the program, build/cpu/apps/kith unless set. Needs NumPy.
"""
import argparse, datetime, gzip, json, os, pathlib, shutil, subprocess, sys, time

import numpy as np

KITH = os.path.abspath(os.environ.get("KITH", "build/cpu/apps/kith"))
PRETEXT_EPOCHS = {700: 60, 3000: 20, 12000: 8}  # 120, 220, 368 steps
SELFLABEL_EPOCHS = {700: 4, 3000: 2, 12000: 1}  # 8, 22, 46 steps
CLUSTER_EPOCHS = {700: 10, 3000: 4, 12000: 1}  # 50, 92, 93 steps
TEST = 3000
ALONE = "1e-12"
SHARED = ["pretext.safetensors", "features_train.npy", "features_test.npy", "neighbours_train.npy", "neighbours_test.npy",
          "stages.json"]


def sets(fields):
    return [word for field in fields for word in ("--set", field)]


class Study:
    def __init__(self, options):
        self.options = options
        self.work = pathlib.Path(options.work)
        self.runs = []

    def kith(self, stage, folder, size, seed, fields):
        limits = [f"data.limit_train={size}", f"data.limit_test={TEST}", f"pretext.epochs={PRETEXT_EPOCHS.get(size, 8)}",
                  "evaluate.probe=false", "evaluate.kmeans_restarts=1"]
        command = [KITH, stage, "--data", self.options.data, "--preset", "quick", "--seed", str(seed), "--threads", "1",
                   "--out", str(folder), "--quiet", *sets(limits + fields)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=self.options.timeout)
        if done.returncode != 0:
            raise RuntimeError((done.stderr.strip().splitlines() or ["no message"])[-1])

    def labels(self, size):
        """The first labels of the train split, as an array file that `kith evaluate` reads."""
        path = self.work / f"labels-{size}.npy"
        if not path.exists():
            folder = pathlib.Path(self.options.data.split(":", 1)[1])
            plain = folder / "train-labels-idx1-ubyte"
            raw = plain.read_bytes() if plain.exists() else gzip.open(f"{plain}.gz").read()
            np.save(path, np.frombuffer(raw, np.uint8, offset=8)[:size].astype(np.int32))
        return path

    def measure(self, folder, size):
        summary = json.loads((folder / "summary.json").read_text())
        table = {row["key"]: row["acc"] for row in summary["table"]}
        scored = subprocess.run([KITH, "evaluate", "--assignments", str(folder / "assignments_train.npy"), "--labels",
                                 str(self.labels(size)), "--json"], capture_output=True, text=True, check=True).stdout
        p = np.load(folder / "probabilities.npy").astype(np.float64)
        lists = np.load(folder / "neighbours_test.npy")
        agreement = np.einsum("ic,ikc->ik", p, p[lists])
        mean = np.clip(p.mean(0), 1e-8, None)
        loss = -np.log(np.clip(agreement, np.exp(-100), None)).mean() + (mean * np.log(mean)).sum()
        return {"acc_train": json.loads(scored)["acc"], "acc_test": list(table.values())[-1], "validation_loss": float(loss),
                "table": table, "knn": summary["pretext"].get("knn")}

    def copy(self, source, name, files):
        folder = self.work / name
        folder.mkdir(parents=True, exist_ok=True)
        for file in files:
            if (source / file).exists() and not (folder / file).exists():
                shutil.copy(source / file, folder / file)  # with the record of what they were made from
        return folder

    def record(self, part, size, seed, what, name, action):
        """Runs action(folder) unless its summary is there, and notes what came out."""
        folder = self.work / name
        entry = {"part": part, "size": size, "seed": seed, **what}
        begin = time.time()
        try:
            if not (folder / "summary.json").exists():
                action()
            entry.update(self.measure(folder, size))
        except (RuntimeError, subprocess.SubprocessError, OSError, KeyError) as error:
            entry["failed"] = str(error)
        self.runs.append(entry)
        print(f"{part} {size} seed {seed} {what}: " + entry.get("failed", f"train {100 * entry.get('acc_train', 0):.1f} "
              f"test {100 * entry.get('acc_test', 0):.1f} validation {entry.get('validation_loss', 0):.4f}")
              + f"  ({time.time() - begin:.0f} s)", flush=True)

    def base(self, size, seed, fields=(), name="base"):
        folder = self.work / f"{name}-{size}-{seed}"
        for stage, file in (("pretext", "features_test.npy"), ("mine", "neighbours_test.npy"), ("cluster", "cluster.safetensors")):
            if not (folder / file).exists():
                self.kith(stage, folder, size, seed, list(fields))
        return folder

    def selflabel(self, size, seed):
        base = self.base(size, seed)

        def only_scan():
            self.copy(base, f"scan-{size}-{seed}", SHARED + ["cluster.safetensors"])
            self.kith("evaluate", self.work / f"scan-{size}-{seed}", size, seed, ["selflabel.enabled=false"])

        self.record("selflabel", size, seed, {"statistics": "none", "learning": False}, f"scan-{size}-{seed}", only_scan)
        for learning in (False, True):
            for statistics in ("moving", "reestimate", "weak", "frozen"):
                name = f"selflabel-{size}-{seed}-{statistics}-{int(learning)}"
                fields = [f"selflabel.statistics={statistics}", f"selflabel.epochs={SELFLABEL_EPOCHS.get(size, 1)}"]
                fields += [] if learning else [f"selflabel.schedule.lr={ALONE}"]

                def variant():
                    folder = self.copy(base, name, SHARED + ["cluster.safetensors"])
                    self.kith("selflabel", folder, size, seed, fields)
                    self.kith("evaluate", folder, size, seed, fields)

                if statistics != "frozen" or learning:  # neither weights nor statistics move: SCAN's network
                    self.record("selflabel", size, seed, {"statistics": statistics, "learning": learning}, name, variant)

    def cluster(self, size, seed):
        base = self.base(size, seed)
        for statistics in ("moving", "reestimate", "frozen"):
            name = f"cluster-{size}-{seed}-{statistics}"
            fields = ["cluster.frozen=false", "cluster.augment.policy=strong", "cluster.augment.strong.cutout=8",
                      "cluster.batch=128", f"cluster.epochs={CLUSTER_EPOCHS.get(size, 1)}", "selflabel.enabled=false", f"cluster.statistics={statistics}"]

            def variant():
                folder = self.copy(base, name, SHARED)
                self.kith("cluster", folder, size, seed, fields)
                self.kith("evaluate", folder, size, seed, fields)

            self.record("cluster", size, seed, {"statistics": statistics}, name, variant)

    def pretext(self, size, seed):
        fields = ["pretext.statistics=reestimate", "selflabel.enabled=false"]

        def variant():
            self.base(size, seed, fields, "plain")
            self.kith("evaluate", self.work / f"plain-{size}-{seed}", size, seed, fields)

        self.record("pretext", size, seed, {"statistics": "reestimate"}, f"plain-{size}-{seed}", variant)


def summary(runs):
    """Mean and standard deviation (of the sample) over the seeds of each way, failures counted."""
    groups = {}
    for run in runs:
        key = (run["part"], run["size"], run["statistics"], run.get("learning"))
        groups.setdefault(key, []).append(run)
    rows = []
    for (part, size, statistics, learning), group in groups.items():
        good = [run for run in group if "failed" not in run]
        row = {"part": part, "size": size, "statistics": statistics, "learning": learning, "seeds": len(group),
               "failed": len(group) - len(good)}
        for figure in ("acc_train", "acc_test", "validation_loss"):
            values = [run[figure] for run in good]
            row[figure] = [round(float(np.mean(values)), 4), round(float(np.std(values, ddof=1)), 4) if len(values) > 1 else 0.0] if values else None
        rows.append(row)
    return rows


def processor():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return "unknown"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--work", default="build/study-statistics")
    parser.add_argument("--sizes", type=int, nargs="+", default=[700, 3000, 12000])
    parser.add_argument("--tuned-sizes", type=int, nargs="+", default=[700, 3000], help="of the parts cluster and pretext, which cost more")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--parts", nargs="+", default=["selflabel", "cluster", "pretext"])
    parser.add_argument("--timeout", type=int, default=3600, help="seconds of one stage")
    study = Study(parser.parse_args())
    study.work.mkdir(parents=True, exist_ok=True)
    for part in study.options.parts:
        for size in study.options.sizes if part == "selflabel" else study.options.tuned_sizes:
            for seed in study.options.seeds:
                getattr(study, part)(size, seed)
    commit = subprocess.run(["git", "-C", os.path.dirname(os.path.abspath(__file__)), "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()
    text = {"command": "python3 bench/study/statistics.py " + " ".join(sys.argv[1:]).replace(study.options.data, "fashion-mnist:DIR"),
            "machine": {"processor": processor(), "threads": 1, "device": "cpu"}, "date": str(datetime.date.today()),
            "commit": commit, "test_images": TEST, "pretext_epochs": PRETEXT_EPOCHS, "selflabel_epochs": SELFLABEL_EPOCHS,
            "cluster_epochs": CLUSTER_EPOCHS,
            "summary": summary(study.runs), "runs": study.runs}
    pathlib.Path(study.options.out).write_text(json.dumps(text, indent=1) + "\n")
    for row in text["summary"]:
        print(row)


main()
