"""Every finished run of a grid in one file: python bench/study/ablations/collect.py runs/fashion GRID.toml PRECISION MACHINE COMMIT > FILE.json

runs/fashion is the --out of `kith ablate`. Scores are rounded to five digits."""
import json
import pathlib
import re
import sys

KEYS = ("acc", "acc_many_to_one", "ami", "ari", "nmi")


def run_of(summary):
    purity = summary["pretext"].get("purity_train")
    out = {"seed": summary["seed"]}
    if "knn" in summary["pretext"]:
        out["knn"] = summary["pretext"]["knn"]
    if purity:
        out["purity_train"] = {"k": purity["k"], "purity": round(purity["purity"], 5)}
    return out | {"methods": {row["key"]: {k: round(row[k], 5) for k in KEYS} for row in summary["table"]}}


folder, grid, precision, processor, commit = sys.argv[1:]
runs = {re.sub("-[0-9a-f]{12}$", "", file.parent.name): run_of(json.loads(file.read_text()))
        for file in sorted(pathlib.Path(folder, "cells").glob("*/summary.json"))}
json.dump({"grid": grid, "precision": precision, "processor": processor, "commit": commit, "runs": runs}, sys.stdout, indent=1)
print()
