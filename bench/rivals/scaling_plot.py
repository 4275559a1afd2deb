"""The picture of bench/results/scaling.json: `python bench/rivals/scaling.py --plot`. Needs matplotlib."""

import json

import common
import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

KITH, RIVAL, CEILING = "#1f5fa8", "#d9772b", "#8a8a8a"
STYLE = {"f32": "-", "bf16": "--"}
TITLE = {"fontsize": 11, "loc": "left", "fontweight": "bold"}


def number(value, _=None):
    return f"{value:,.0f}" if value >= 1 else f"{value:g}"


def steps(low, high):
    """1, 2, 5, 10 ... within."""
    return [m * 10.0**e for e in range(-4, 12) for m in (1, 2, 5) if low <= m * 10.0**e <= high]


def axes(ax, title, x, y, ticks, fine=False):
    ax.set(xscale="log", yscale="log", xlabel=x, ylabel=y)
    ax.set_title(title, **TITLE)
    ax.xaxis.set_major_locator(FixedLocator(ticks))
    ax.xaxis.set_minor_locator(NullLocator())
    if fine:  # less than two decades: the decades alone would leave one number at the axis
        low, high = ax.get_ylim()
        ax.set_ylim(low * 0.8, high * 1.15)
        ax.yaxis.set_major_locator(FixedLocator(steps(*ax.get_ylim())))
    ax.yaxis.set_minor_locator(NullLocator())
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter(FuncFormatter(number))
    ax.grid(alpha=0.3)
    ax.legend(fontsize=8.5, framealpha=0.9)


def search_lines(rows):
    """(label, style, rows): sets among themselves, and fewer queries than rows."""
    few = [r for r in rows if r["queries"] < r["rows"]]
    lines = [("set in itself", "-", [r for r in rows if r["queries"] == r["rows"]])]
    return lines + [(f"{few[0]['queries']:,} queries", "--", few)] if few else lines


def search_time(ax, rows, ceilings):
    for label, style, some in search_lines(rows):
        for name, colour in (("kith", KITH), ("faiss", RIVAL)):
            ax.plot([r["rows"] for r in some], [1e3 * r["times"][name]["wall_ms"]["min"] / r["queries"] for r in some], style,
                    color=colour, marker="o", markersize=4, label=f"{name}, {label}")
    counts = sorted({r["rows"] for r in rows})
    for which, style in (("f32", ":"), ("bf16", "-.")):
        if ceilings[f"{which}_flop/s"]:
            flops = 2 * rows[0]["dim"]  # of a query and a row: the contract's cost
            ax.plot(counts, [1e6 * flops * n / ceilings[f"{which}_flop/s"] for n in counts], style, color=CEILING, linewidth=1.2,
                    label=f"2 N D flop at the {which} ceiling")
    axes(ax, f"Exact top-{rows[0]['k']} search, D = {rows[0]['dim']}", "rows N", "time per query, µs", counts)


def search_memory(ax, rows):
    for label, style, some in search_lines(rows):
        for name, colour in (("kith", KITH), ("faiss", RIVAL)):
            ax.plot([r["rows"] for r in some], [r["memory"][name]["excess"] / 2**20 for r in some], style, color=colour,
                    marker="o", markersize=4, label=f"{name}, {label}")
    counts = sorted({r["rows"] for r in rows})
    ax.plot(counts, [4 * n * rows[0]["dim"] / 2**20 for n in counts], ":", color=CEILING, linewidth=1.2, label="the rows alone")
    axes(ax, "The same, peak memory with rows and lists", "rows N", "peak memory, MiB", counts)


def pair(ax, rows, x, times, value):
    for which, style in STYLE.items():
        for name, rival, colour in (("kith", "kith", KITH), ("pytorch", "PyTorch", RIVAL)):
            some = [r for r in rows if f"{name} {which}" in times(r)]
            if some:
                ax.plot([r[x] for r in some], [value(r, times(r)[f"{name} {which}"]["wall_ms"]["min"]) for r in some], style,
                        color=colour, marker="o", markersize=4,
                        label=f"{rival} {which}" + (" autocast" if name == "pytorch" and which == "bf16" else ""))


def loss(ax, rows, ceilings):
    pair(ax, rows, "rows", lambda r: r["times"], lambda r, ms: ms)
    counts = [r["rows"] for r in rows]
    for which, style in (("f32", ":"), ("bf16", "-.")):
        if ceilings[f"{which}_flop/s"]:
            ax.plot(counts, [6e3 * n * n * rows[0]["dim"] / ceilings[f"{which}_flop/s"] for n in counts], style, color=CEILING,
                    linewidth=1.2, label=f"6 N² D flop at the {which} ceiling")
    axes(ax, f"NT-Xent forward + backward, D = {rows[0]['dim']}", "rows N", "time, ms", counts)


def training(ax, rows, x, title, label):
    pair(ax, rows, x, lambda r: r["samples"], lambda r, ms: 1e3 * r["views"] / ms)
    axes(ax, title, label, "views/s", [r[x] for r in rows], fine=True)


def over_batch(ax, rows):
    some = [r for r in rows if r["width"] == rows[0]["width"]]
    training(ax, some, "views", f"ResNet-18 training step, 32 x 32, width {some[0]['width']}", "batch, views")


def over_width(ax, rows):
    views = rows[-1]["views"]
    some = sorted((r for r in rows if r["views"] == views), key=lambda r: r["width"])
    training(ax, some, "width", f"ResNet-18 training step, 32 x 32, batch {views}", "width of the first stage, channels")


def footprint(ax, row):
    for at, (name, sample) in enumerate(row["memory"].items()):
        who, which = name.split()
        gib = sample["excess"] / 2**30
        ax.barh(at, gib, color=KITH if who == "kith" else RIVAL, alpha=1 if which == "f32" else 0.6)
        ax.text(gib, at, f" {gib:.2f} GiB", va="center", fontsize=9)
    names = [n.replace("pytorch", "PyTorch") + ("\nautocast" if n == "pytorch bf16" else "") for n in row["memory"]]
    ax.set_yticks(range(len(names)), names)
    ax.invert_yaxis()
    ax.set_xlim(0, 1.25 * max(s["excess"] for s in row["memory"].values()) / 2**30)
    ax.set_xlabel("GiB")
    ax.set_title(f"Peak memory of a step, width {row['width']}, batch {row['views']}, {row['side']} x {row['side']}", **TITLE)
    ax.grid(alpha=0.3, axis="x")


def draw():
    folder = common.ROOT / "bench/results"
    report = json.loads((folder / "scaling.json").read_text())
    of = {}
    for row in report["rows"]:
        of.setdefault(row["subject"], []).append(row)
    ceilings, machine, versions = of["ceilings"][0], report["machine"], report["versions"]
    panels = []
    if "topk" in of:
        panels += [lambda ax: search_time(ax, of["topk"], ceilings), lambda ax: search_memory(ax, of["topk"])]
    if "ntxent" in of:
        panels.append(lambda ax: loss(ax, of["ntxent"], ceilings))
    if "memory" in of:
        panels.append(lambda ax: footprint(ax, of["memory"][0]))
    if "train_step" in of:
        panels += [lambda ax: over_batch(ax, of["train_step"]), lambda ax: over_width(ax, of["train_step"])]
    rows = (len(panels) + 1) // 2
    figure, grid = plt.subplots(rows, 2, figsize=(11, 0.5 + 4.2 * rows), squeeze=False)
    for ax, panel in zip(grid.flat, panels):
        panel(ax)
    for ax in grid.flat[len(panels):]:
        ax.axis("off")
    caption = (f"{machine['processor']}, family {machine['family']}, model {machine['model']}, {machine['threads']} threads on "
               f"{machine['processors']} cores. Least time of several turns.\nkith {machine['commit']}, faiss-cpu "
               f"{versions['faiss']} (IndexFlatIP), PyTorch {versions['torch']} (eager, channels-last)")
    figure.text(0.5, 0.005, caption, ha="center", fontsize=8.5)
    figure.tight_layout(rect=(0, 0.03, 1, 1))
    figure.savefig(folder / "scaling.png", dpi=100)
    print("written: bench/results/scaling.png")
