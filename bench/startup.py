"""How long the command takes to start, as ratios to a bare click program measured in the same run.

Usage: python bench/startup.py [--runs N] [--postgres URL]. Prints the median of N whole processes each; the
machine's speed cancels out of a ratio. URL names an empty database, which is filled: the gate is measured
beside that of SQLite then. Aim: `reconcile --help` under 1.5 times a bare click program; `reconcile gate`,
which runs before every start of a bot, under a quarter of a second as a whole process.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from reconciler.model.finding import Verdict
from reconciler.model.live import Status
from reconciler.model.memory import May, Permit, Reading
from reconciler.state.store import open_for_writing

EXAMPLE = Path(__file__).parent.parent / "examples" / "connections.yaml"
BARE = "import click; click.command()(lambda: click.echo('hello'))(['--help'])"
SUBJECTS = {
    "bare click program": ["-c", BARE],
    "reconcile --help": ["-m", "reconciler.cli", "--help"],
    "reconcile --version": ["-m", "reconciler.cli", "--version"],
    "reconcile validate": ["-m", "reconciler.cli", "validate", "-f", str(EXAMPLE)],
}


def fill(url: str, size: int = 1_000) -> str:
    """A state as a pass over ``size`` connections, with a strategy on each, leaves it; gives ``url``."""
    at = datetime.now(UTC)
    names = [f"c{number:04}" for number in range(size)]
    well = {"exchange": "mexc", "status": Status.CONNECTED, "verdict": Verdict.PASS, "at": at}
    fields = {"runtime": "ft", "may": May.RUN, "why": "every blocking check passes", "at": at}
    permits = [Permit(strategy=one, connection=one, **fields) for one in names]
    with open_for_writing(url) as store, store.lease() as lease:
        store.record_evidence([Reading(connection=one, **well) for one in names], token=lease.token)
        store.record_decisions(token=lease.token, permits=permits, strategies=names, conditions=())
    return url


def gate(url: str) -> list[str]:
    """The command line that asks that state whether one strategy may run."""
    return ["-m", "reconciler.cli", "gate", "c0500", "--max-age", "1d", "--state", url]


def once(arguments: list[str]) -> float:
    """Seconds that one process takes from start to end."""
    start = time.perf_counter()
    subprocess.run([sys.executable, *arguments], capture_output=True, check=True)
    return time.perf_counter() - start


def main() -> None:
    """Measure the subjects in turn, so that drift of the machine falls on all alike."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--postgres", metavar="URL")
    chosen = parser.parse_args()
    runs = chosen.runs
    with tempfile.TemporaryDirectory() as folder:
        subjects = {**SUBJECTS, "reconcile gate": gate(fill(str(Path(folder, "state.db"))))}
        if chosen.postgres:
            subjects["  on PostgreSQL"] = gate(fill(chosen.postgres))
        seen: dict[str, list[float]] = {name: [] for name in subjects}
        for _ in range(runs + 1):
            for name, arguments in subjects.items():
                seen[name].append(once(arguments))
    bare, *_ = medians = [statistics.median(times[1:]) for times in seen.values()]
    for name, median in zip(subjects, medians, strict=True):
        print(f"{name:<22} {median * 1000:7.1f} ms   {median / bare:5.2f} x bare click")


if __name__ == "__main__":
    main()
