"""kith cluster --features on labelled sets: accuracy and seconds of each method over seeds.

  python3 bench/study/features.py --set NAME FEATURES.npy LABELS.npy [--set ...] [--digits] --out features.json [--work DIR]
                                  [--methods NAME ...] [--seeds N ...] [--threads N] [--override METHOD NAME=VALUE ...]

--digits adds scikit-learn's 1,797 digits, as pixels. Each run trains on all rows without labels and is scored on them; seconds are the
method's own (neighbours included), as its summary has them. Runs that fail are listed. What is done in --work is not repeated. KITH is the
program, build/cpu/apps/kith unless set. Needs NumPy, and scikit-learn for --digits.
"""
import argparse, datetime, json, os, pathlib, subprocess

import numpy as np

KITH = os.path.abspath(os.environ.get("KITH", "build/cpu/apps/kith"))


def digits(work):
    from sklearn.datasets import load_digits
    data = load_digits()
    np.save(work / "digits.npy", data.data.astype(np.float32))
    np.save(work / "digits_labels.npy", data.target)
    return ["digits", str(work / "digits.npy"), str(work / "digits_labels.npy")]


def run(work, name, features, labels, method, seed, threads, overrides):
    folder = work / f"{name}-{method}-{seed}"
    clusters = len(np.unique(np.load(labels)))
    command = [KITH, "cluster", "--features", features, "--labels", labels, "--clusters", str(clusters), "--method", method,
               "--seed", str(seed), "--threads", str(threads), "--out", str(folder), "--quiet", "--json"]
    for text in overrides:  # standardize=yes is an option of its own
        option = text.split("=")[0] in ("normalize", "standardize")
        command += ["--" + text.split("=")[0], text.split("=")[1]] if option else ["--set", text]
    done = subprocess.run(command, capture_output=True, text=True)
    row = {"set": name, "method": method, "seed": seed, "settings": overrides, "load": os.getloadavg()[0]}
    if done.returncode != 0:
        return {**row, "error": (done.stderr.strip().splitlines() or ["no message"])[-1]}
    summary = json.loads(done.stdout.splitlines()[-1])["summary"]
    return {**row, "rows": summary["rows"], "seconds": round(summary["fit"]["seconds"], 2),
            **{key: summary["scores"][key] for key in ("acc", "nmi", "ari")},
            "silhouette": summary["silhouette"]["mean"], "mean_confidence": summary["mean_confidence"],
            "clusters_used": summary["clusters_used"],
            "fit": {k: v for k, v in summary["fit"].items() if k != "seconds"}}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", nargs=3, action="append", default=[], metavar=("NAME", "FEATURES", "LABELS"))
    parser.add_argument("--digits", action="store_true")
    parser.add_argument("--out", required=True)
    parser.add_argument("--work", default="features-study")
    parser.add_argument("--methods", nargs="+", default=["kmeans", "scan", "temi", "turtle"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--override", nargs="+", action="append", default=[], metavar="METHOD NAME=VALUE")
    options = parser.parse_args()
    work = pathlib.Path(options.work)
    work.mkdir(parents=True, exist_ok=True)
    sets = ([digits(work)] if options.digits else []) + options.set
    overrides = {words[0]: words[1:] for words in options.override}
    runs = []
    for name, features, labels in sets:
        for method in options.methods:
            for seed in options.seeds:
                runs.append(run(work, name, features, labels, method, seed, options.threads, overrides.get(method, [])))
                print(json.dumps(runs[-1]), flush=True)
                out = {"date": datetime.date.today().isoformat(), "threads": options.threads, "runs": runs}
                pathlib.Path(options.out).write_text(json.dumps(out, indent=1) + "\n")
    for name, _, _ in sets:
        for method in options.methods:
            done = [r for r in runs if r["set"] == name and r["method"] == method and "acc" in r]
            if done:
                mean = lambda key: np.mean([r[key] for r in done])
                print(f"{name:16} {method:8} ACC {100 * mean('acc'):5.1f}+-{100 * np.std([r['acc'] for r in done], ddof=min(1, len(done) - 1)):.1f}"
                      f"  NMI {100 * mean('nmi'):5.1f}  ARI {100 * mean('ari'):5.1f}  {mean('seconds'):.1f} s")


if __name__ == "__main__":
    main()
