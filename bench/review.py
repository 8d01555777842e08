"""How long `validate` and `diff` take on a repository of many connections, as ratios to a bare click program.

Usage: python bench/review.py [--connections 1000] [--runs 5]. Builds a git repository with one secret file
for each connection, changes every tenth connection, strategy and secret, and prints the median of whole
processes, for that repository and for one of a single connection. Aim: under 2 s for 1,000 connections on
2 cores, under 0.35 s for one.
"""

from __future__ import annotations

import argparse
import base64
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SECRET = Path(__file__).parent.parent / "examples" / "secrets" / "mexc-spot-main.sops.yaml"
BARE = "import click; click.command()(lambda: click.echo('hello'))(['--help'])"
RECONCILE = ["-m", "reconciler.cli"]
SUBJECTS = {
    "validate": [*RECONCILE, "validate"],
    "diff": [*RECONCILE, "diff", "main"],
    "diff, as markdown": [*RECONCILE, "diff", "main", "--output", "markdown"],
    "diff of two commits": [*RECONCILE, "diff", "main", "HEAD"],
}
ENVIRONMENT = {
    **os.environ,
    "GIT_CONFIG_GLOBAL": os.devnull,
    **{
        f"GIT_{who}_{what}": "bench@example.org"
        for who in ("AUTHOR", "COMMITTER")
        for what in ("NAME", "EMAIL")
    },
}


def ciphertext(_: re.Match[str]) -> str:
    """What sops would write for another value; nobody here can tell."""
    parts = (base64.b64encode(os.urandom(size)).decode() for size in (24, 32, 16))
    return "ENC[AES256_GCM,data:{},iv:{},tag:{},type:str]".format(*parts)


def secret(connection: str) -> str:
    """A secret file of its own for one connection."""
    text = re.sub(r"ENC\[[^\]]*type:str\]", ciphertext, SECRET.read_text(encoding="utf-8"))
    # Each file has a data key of its own, and so another wrap of it.
    text = re.sub(r"(?<=FILE-----\n {12})\S+", base64.b64encode(os.urandom(48)).decode(), text)
    return text.replace("connection: mexc-spot-main", f"connection: {connection}")


def configuration(count: int, *, changed: bool) -> str:
    """``count`` connections with a strategy each; with ``changed`` every tenth has a higher limit."""
    lines = ["version: 1", "egress:", "  bot-eu: {addresses: [203.0.113.10]}", "connections:"]
    for number in range(count):
        lines += [
            f"  c{number}:",
            f"    name: MEXC Spot {number}",
            "    exchange: mexc",
            "    market: spot",
            "    egress: bot-eu",
            f'    account: {{uid: "{100_000 + number}"}}',
            f"    credentials: secrets/c{number}.sops.yaml",
        ]
    lines += ["runtimes:", "  paper: {type: ledger}", "strategies:"]
    for number in range(count):
        amount = 900 if changed and not number % 10 else 500
        lines += [
            f"  s{number}:",
            f"    name: Strategy {number}",
            f"    connection: c{number}",
            "    runtime: paper",
            "    enabled: true",
            "    pairs: [BTC/USDT, ETH/USDT]",
            f'    margin_limit: {{amount: "{amount}", currency: USDT}}',
        ]
    return "\n".join(lines) + "\n"


def build(folder: Path, count: int) -> None:
    """A repository with a main branch and, checked out, a branch that changes every tenth of everything."""

    def git(*arguments: str) -> None:
        subprocess.run(["git", *arguments], cwd=folder, env=ENVIRONMENT, check=True, capture_output=True)

    (folder / "secrets").mkdir(parents=True)
    (folder / "connections.yaml").write_text(configuration(count, changed=False), encoding="utf-8")
    for number in range(count):
        (folder / "secrets" / f"c{number}.sops.yaml").write_text(secret(f"c{number}"), encoding="utf-8")
    git("init", "-q", "-b", "main")
    git("add", ".")
    git("commit", "-qm", "base")
    git("checkout", "-qb", "change")
    (folder / "connections.yaml").write_text(configuration(count, changed=True), encoding="utf-8")
    for number in range(0, count, 10):
        (folder / "secrets" / f"c{number}.sops.yaml").write_text(secret(f"c{number}"), encoding="utf-8")
    git("commit", "-qam", "change")


def once(arguments: list[str], folder: Path) -> float:
    """Seconds that one process takes from start to end."""
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=ENVIRONMENT, capture_output=True, check=False
    )
    if done.returncode not in (0, 4):
        sys.exit(done.stderr.decode())
    return time.perf_counter() - start


def measure(folder: Path, runs: int) -> dict[str, float]:
    """The median of each subject in seconds, all measured in turn."""
    subjects = {"bare click program": ["-c", BARE], **SUBJECTS}
    seen: dict[str, list[float]] = {name: [] for name in subjects}
    for _ in range(runs + 1):
        for name, arguments in subjects.items():
            seen[name].append(once(arguments, folder))
    return {name: statistics.median(times[1:]) for name, times in seen.items()}


def main() -> None:
    """Measure a repository of one connection, then one of many."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--connections", type=int, default=1000)
    parser.add_argument("--runs", type=int, default=5)
    given = parser.parse_args()
    for count in (1, given.connections):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name) / "repository"
            build(folder, count)
            medians = measure(folder, given.runs)
        print(f"{count:,} connection{'s' if count > 1 else ''}")
        bare = medians.pop("bare click program")
        print(f"  {'bare click program':<22} {bare * 1000:7.0f} ms")
        for subject, median in medians.items():
            print(f"  {subject:<22} {median * 1000:7.0f} ms   {median / bare:6.2f} x bare click")


if __name__ == "__main__":
    main()
