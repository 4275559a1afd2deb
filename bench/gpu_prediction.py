"""What the counts predict for a card beside what it measured (phase `predict` of gpu.sh).

  gpu_prediction.py programs PREDICTIONS DEVICE       a line for each program that has something to measure: its name, and the
                                                      benchmarks as a filter. Exit status 77, with the reason, where there is
                                                      no prediction for the device
  gpu_prediction.py join PREDICTIONS OUT MEASURED...  OUT, JSON: each benchmark that both sides have, and what one side lacks
  gpu_prediction.py table OUT                         that as a table, what is furthest off first

PREDICTIONS is gpu_prediction.json beside this file, which kith_simt --predictions writes; MEASURED are files of Google
Benchmark from bench_NAME_cuda. A benchmark's prediction is the sum over its calls of what the largest limit of each would take.
"""

import json
import math
import os
import re
import sys
from pathlib import Path


def card_of(predictions, device):
    """The card that a device's name means, or none. The facts are of SXM boards: others have other clocks and memory."""
    if re.search(r"\b(PCIe|NVL)\b", device):
        return None
    return next((card for card in predictions["cards"] if re.search(rf"\b{card}\b", device, re.IGNORECASE)), None)


def no_card(predictions, device):
    return f"no prediction for {device}; the cards are {', '.join(predictions['cards'].values())}"


def programs(predictions, device):
    if card_of(predictions, device) is None:
        print(no_card(predictions, device))
        return 77
    filters = {}
    for row in predictions["benchmarks"]:
        filters.setdefault(f"bench_{row['program']}_cuda", []).append(row["name"])
    for program, names in filters.items():
        print(f"{program}\t^({'|'.join(names)})/iterations:")
    return 0


def measured_in(file):
    """Device, date and commit of a file, and its benchmarks by name. OSError or ValueError: it cannot be read."""
    content = json.loads(Path(file).read_text())
    if not isinstance(content, dict) or not {"context", "benchmarks"} <= content.keys():
        raise ValueError("not of Google Benchmark")
    context = content["context"]
    rows = {row["name"].split("/iterations:")[0]: row for row in content["benchmarks"]}
    return context.get("device", ""), {"date": context.get("date", ""), "commit": context.get("commit", "")}, rows


def microseconds(row):
    return row["real_time"] * {"ns": 1e-3, "us": 1.0, "ms": 1e3, "s": 1e6}[row["time_unit"]]


def predicted(row, card):
    """Microseconds of all calls, and the limit of the one that takes longest."""
    total, longest, limit = 0.0, -1.0, ""
    for call in row["calls"]:
        name, us = max(call["us"][card].items(), key=lambda item: item[1])
        total += us
        if us > longest:
            longest, limit = us, name
    return total, limit


def row_of(row, card, found, origin):
    us, limit = predicted(row, card)
    measured = microseconds(found)
    return {
        "benchmark": row["name"],
        "kernel": re.split(r"/(?=(\w+:)?\d)", row["name"])[0],
        "sizes": row["calls"][0]["sizes"],
        "limit": limit,
        "predicted_us": round(us, 3),
        "measured_us": round(measured, 3),
        "ratio": round(measured / us, 3),
        "spread": round(found.get("spread", 0), 4),
        "launches": sum(call["launches"] for call in row["calls"]),
        **origin,
    }


def join(predictions, out, files):
    measured, failed, unreadable, devices = {}, {}, {}, set()
    for file in files:
        try:
            device, origin, rows = measured_in(file)
        except (OSError, ValueError) as e:
            unreadable[Path(file).name] = str(e)
            continue
        devices.add(device)
        for name, row in rows.items():
            if row.get("error_occurred"):
                failed[name] = row.get("error_message", "")
            elif row["real_time"] > 0:
                measured[name] = (row, origin)
    if len(devices) > 1:
        print(f"gpu_prediction.py: measured on more than one device: {', '.join(sorted(devices))}", file=sys.stderr)
        return 1
    if not devices:
        print("gpu_prediction.py: nothing was measured", file=sys.stderr)
        return 1
    device = devices.pop()
    card = card_of(predictions, device)
    if card is None:
        print(f"gpu_prediction.py: {no_card(predictions, device)}", file=sys.stderr)
        return 1
    of_file = predictions["benchmarks"]
    rows = [row_of(row, card, *measured[row["name"]]) for row in of_file if row["name"] in measured]
    rows.sort(key=lambda row: -abs(math.log(row["measured_us"] / row["predicted_us"])))
    result = {
        "card": predictions["cards"][card],
        "device": device,
        "rows": rows,
        "failed": failed,
        "unreadable": unreadable,
        "not_measured": [row["name"] for row in of_file if row["name"] not in measured],
        "not_predicted": sorted(set(measured) - {row["name"] for row in of_file}),
    }
    beside = Path(f"{out}.new")
    beside.write_text(json.dumps(result, indent=1) + "\n")
    os.replace(beside, out)
    return 0


def table(result):
    commits = sorted({row["commit"] for row in result["rows"]} - {""})
    lines = [
        f"Predicted (not measured) for one {result['card']} by counts; measured on {result['device']}"
        + (f", commit {', '.join(commits)}" if commits else "")
        + ". Furthest off first.",
        "",
        "| kernel | sizes | limit | predicted (not measured), us | measured, us | measured / predicted |",
        "|---|---|---|--:|--:|--:|",
    ]
    for row in result["rows"]:
        lines.append(
            f"| {row['kernel']} | {row['sizes']} | {row['limit']} | {row['predicted_us']:.2f} | {row['measured_us']:.2f} |"
            f" {row['ratio']:.2f} |"
        )
    for key, what in (("not_measured", "Predicted, but not measured"), ("not_predicted", "Measured, but not predicted")):
        if result[key]:
            lines += ["", f"{what}: {', '.join(result[key])}."]
    for key, what in (("failed", "Failed"), ("unreadable", "Cannot be read")):
        lines += [f"\n{what}: {name}: {why}" for name, why in result[key].items()]
    return "\n".join(lines)


def main(arguments):
    if len(arguments) == 3 and arguments[0] == "programs":
        return programs(json.loads(Path(arguments[1]).read_text()), arguments[2])
    if len(arguments) > 3 and arguments[0] == "join":
        return join(json.loads(Path(arguments[1]).read_text()), arguments[2], arguments[3:])
    if len(arguments) == 2 and arguments[0] == "table":
        print(table(json.loads(Path(arguments[1]).read_text())))
        return 0
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
