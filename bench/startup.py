"""How long the command takes to start, as ratios to a bare click program measured in the same run.

Usage: python bench/startup.py [--runs N]. Prints the median of N whole processes each; the machine's
speed cancels out of a ratio. Aim: `reconcile --help` under 1.5 times a bare click program.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from pathlib import Path

EXAMPLE = Path(__file__).parent.parent / "examples" / "connections.yaml"
BARE = "import click; click.command()(lambda: click.echo('hello'))(['--help'])"
SUBJECTS = {
    "bare click program": ["-c", BARE],
    "reconcile --help": ["-m", "reconciler.cli", "--help"],
    "reconcile --version": ["-m", "reconciler.cli", "--version"],
    "reconcile validate": ["-m", "reconciler.cli", "validate", "-f", str(EXAMPLE)],
}


def once(arguments: list[str]) -> float:
    """Seconds that one process takes from start to end."""
    start = time.perf_counter()
    subprocess.run([sys.executable, *arguments], capture_output=True, check=True)
    return time.perf_counter() - start


def main() -> None:
    """Measure the subjects in turn, so that drift of the machine falls on all alike."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=15)
    runs = parser.parse_args().runs
    seen: dict[str, list[float]] = {name: [] for name in SUBJECTS}
    for _ in range(runs + 1):
        for name, arguments in SUBJECTS.items():
            seen[name].append(once(arguments))
    bare, *_ = medians = [statistics.median(times[1:]) for times in seen.values()]
    for name, median in zip(SUBJECTS, medians, strict=True):
        print(f"{name:<22} {median * 1000:7.1f} ms   {median / bare:5.2f} x bare click")


if __name__ == "__main__":
    main()
