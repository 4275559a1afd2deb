#!/usr/bin/env python3
"""The README's pictures of pages, taken by Chromium without a window (KITH_CHROMIUM, else chromium).

  screenshots.py --report RUN/report.html --compare PAGE.html [--curves RUN/report.html] [--live ADDRESS] [--out bench/results]

--curves: a report whose curves of training are shown; --compare: what kith compare --page wrote; --live: the address that kith watch --serve prints, of a run at work. Pages are shown as
they are, or a part of them: the sections of some headings."""
import argparse, os, re, subprocess, tempfile

SHOTS = [  # file, page, width, height, dark, headings of the sections that are shown or None
    ("report-desktop.png", "report", 1280, 1130, False, ["Nearest neighbours", "Uncertain images"]),
    ("report-dark.png", "report", 1280, 1150, True, ["Scores", "Confusion matrix"]),
    ("report-phone.png", "report", 390, 1100, False, ["Nearest neighbours"]),
    ("report-map.png", "report", 1180, 1190, False, ["Map"]),
    ("quick-150min.png", "curves", 1180, 820, False, ["Training"]),
    ("compare.png", "compare", 1280, 1060, False, None),
    ("watch.png", "live", 1180, 700, False, None),
]


def part(page, headings):
    """The page with those sections alone, and without the facts on top where a section stands for itself."""
    keep = lambda m: m.group(0) if any(f"<h2>{h}</h2>" in m.group(0) for h in headings) else ""
    return re.sub(r"<section>.*?</section>\n", keep, page, flags=re.S)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--report")
    parser.add_argument("--curves")
    parser.add_argument("--compare")
    parser.add_argument("--live")
    parser.add_argument("--out", default="bench/results")
    options = parser.parse_args()
    browser = [os.environ.get("KITH_CHROMIUM", "chromium"), "--headless=new", "--disable-gpu", "--hide-scrollbars"]
    if os.geteuid() == 0:
        browser.append("--no-sandbox")
    with tempfile.TemporaryDirectory() as work:
        for file, page, width, height, dark, headings in SHOTS:
            address = getattr(options, page)
            if not address:
                continue
            if page != "live":
                with open(address) as f:
                    text = f.read()
                address = f"{work}/page.html"
                with open(address, "w") as f:
                    f.write(part(text, headings) if headings else text)
                address = "file://" + address
            subprocess.run(browser + [f"--user-data-dir={work}/profile", f"--window-size={width},{height}",
                                      f"--blink-settings=preferredColorScheme={0 if dark else 1}",
                                      f"--screenshot={os.path.abspath(options.out)}/{file}", address],
                           check=True, stderr=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
