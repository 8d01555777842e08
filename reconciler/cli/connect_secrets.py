"""How a key reaches this process: typed without echo, or on a pipe; never on a command line.

``click.prompt(hide_input=True)`` drops what follows a line break in a paste without a word, and so
would keep half a key. This reads the line itself and looks whether more was pasted.
"""

from __future__ import annotations

import json
import os
import select
import sys
import termios
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import click

from reconciler.model.errors import UsageError
from reconciler.model.secret import Credentials, Secret
from reconciler.secrets.judging import flaw

Judge = Callable[[Credentials], str | None]
"""Says why credentials cannot work, as far as that shows without asking anybody."""

_LABELS: Final = {"api_key": "API key", "secret": "Secret", "passphrase": "Passphrase"}

#: A terminal hands over at most this much of one line, and drops the rest of it without a word.
_LINE_LIMIT: Final = 4095
_PIPE_LIMIT: Final = 64 << 10
_PEM_LINES: Final = 200
#: Seconds within which the rest of a paste arrives.
_PASTE: Final = 0.05

_PEM_BEGINS: Final = "-----BEGIN "
_PEM_ENDS: Final = "-----END "


class _Refused(Exception):
    """What was typed cannot be taken, and why, without quoting it."""


def ask(fields: Sequence[str], *, judge: Judge) -> Credentials:
    """The credentials, typed or pasted at the terminal without echo, asked again until they can be right."""
    while True:
        taken: dict[str, Secret] = {}
        for name in fields:
            taken[name] = _ask_one(name, taken)
        credentials = Credentials(**taken)
        wrong = judge(credentials)
        if wrong is None:
            return credentials
        _tell(f"{wrong} Please give all of it again.")


def read_pipe(fields: Sequence[str], *, judge: Judge) -> Credentials:
    """The credentials from a JSON object on standard input: ``{"api_key": …, "secret": …}``.

    Raise ``UsageError`` for anything else; it quotes nothing of it.
    """
    if sys.stdin.isatty():
        raise UsageError(
            "--stdin reads from a pipe: a terminal would show the secret", hint="leave it out here"
        )
    given = _object(sys.stdin.buffer.read(_PIPE_LIMIT + 1))
    if given is None or set(given) != set(fields):
        raise UsageError(
            f"standard input must hold one JSON object with exactly {', '.join(fields)}",
            hint="pipe it from a password manager or a file that only you can read",
        )
    for name in fields:
        if wrong := flaw(name, given[name]):
            raise UsageError(f"`{name}` {wrong}", hint="give it exactly as the exchange showed it")
    credentials = Credentials(**{name: Secret(str(given[name])) for name in fields})
    if wrong := judge(credentials):
        raise UsageError(wrong, hint="compare with what the exchange showed")
    return credentials


def ask_password(prompt: str) -> Secret | None:
    """A password that is typed without echo; ``None`` where only Enter was pressed."""
    while True:
        try:
            typed = _typed(prompt)
        except _Refused as refused:
            _tell(f"What was given {refused}. Please give it again.")
        else:
            return Secret(typed) if typed else None


def _object(data: bytes) -> dict[str, object] | None:
    """The JSON object, or ``None``: an error of the parser would hold the text."""
    try:
        found = json.loads(data) if len(data) <= _PIPE_LIMIT else None
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _ask_one(name: str, before: dict[str, Secret]) -> Secret:
    while True:
        try:
            value = _typed(f"{_LABELS[name]} (not shown): ")
            wrong = _wrong(name, value, before)
        except _Refused as refused:
            wrong = str(refused)
        if wrong is None:
            return Secret(value)
        _tell(f"What was given {wrong}. Nothing of it is kept; please give it again.")


def _wrong(name: str, value: str, before: dict[str, Secret]) -> str | None:
    if value != value.strip() and not value.startswith(_PEM_BEGINS):
        hint = "; if that is meant, use --stdin" if name == "passphrase" else ""
        return f"begins or ends with a space, perhaps from copying{hint}"
    same = next((other for other, kept in before.items() if kept == Secret(value)), None)
    return flaw(name, value) or (f"is the same as the {_LABELS[same]}" if same else None)


def _tell(text: str) -> None:
    click.echo(f"  {text}", err=True)


def _typed(prompt: str) -> str:
    """One answer without echo: a line, or all lines of a private key in PEM."""
    descriptor = sys.stdin.fileno()
    with _silent(descriptor):
        click.echo(prompt, nl=False, err=True)
        try:
            line = _line(descriptor)
            if line.startswith(_PEM_BEGINS):
                return _pem(descriptor, line)
            if _more_waits(descriptor):
                raise _Refused("has more than one line")
            return line
        finally:
            click.echo(err=True)


def _pem(descriptor: int, first: str) -> str:
    lines = first.split("\\n")
    if len(lines) > 1:
        _tell("The \\n in it are taken for line ends, as the exchange's file means them.")
    while not any(line.startswith(_PEM_ENDS) for line in lines):
        if len(lines) > _PEM_LINES:
            raise _Refused("is a private key without an end")
        lines.append(_line(descriptor))
    return "\n".join(lines).rstrip("\n") + "\n"


def _line(descriptor: int) -> str:
    """The next line without its end. Raise ``click.Abort`` where input ends."""
    data = b""
    while not data.endswith(b"\n"):
        chunk = os.read(descriptor, _LINE_LIMIT + 1)
        if not chunk:
            raise click.Abort
        data += chunk
    if len(data) > _LINE_LIMIT:
        raise _Refused("is longer than a terminal hands over: use --stdin")
    try:
        return data.decode().removesuffix("\n")
    except UnicodeDecodeError:
        raise _Refused("is no text in UTF-8") from None


def _more_waits(descriptor: int) -> bool:
    """Whether more was pasted than one line. A last piece without a line end shows in raw mode alone."""
    raw = termios.tcgetattr(descriptor)
    raw[3] &= ~termios.ICANON
    termios.tcsetattr(descriptor, termios.TCSANOW, raw)
    return bool(select.select([descriptor], [], [], _PASTE)[0])


@contextmanager
def _silent(descriptor: int) -> Iterator[None]:
    """A terminal that shows nothing of what is typed; what waits in it before or after is dropped."""
    before = termios.tcgetattr(descriptor)
    silent = [*before]
    silent[3] = before[3] & ~(termios.ECHO | termios.ECHONL)
    termios.tcsetattr(descriptor, termios.TCSAFLUSH, silent)
    try:
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSAFLUSH, before)
