"""Where text leaves the process: standard output, and files that are written whole or not at all."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from reconciler.cli import logs
from reconciler.model.errors import OutputLost, UsageError
from reconciler.output.clean import encodable
from reconciler.output.options import Options

if TYPE_CHECKING:
    from reconciler.model.result import Result

MAX_WIDTH = 100

#: Bytes that GitHub takes as the summary of one step; with more it shows none of it.
_SUMMARY_LIMIT: Final = 1 << 20


class Screen:
    """Shows reports in the format that was asked for, and writes the other formats to their files.

    The file options are judged at once, so that a misspelt format stops a run before it starts.
    ``from_top``: results name their files from the top of a repository already, wherever this runs.
    """

    def __init__(
        self,
        *,
        output: str,
        output_files: tuple[str, ...] = (),
        verbose: bool = False,
        no_color: bool = False,
        from_top: bool = False,
    ) -> None:
        from reconciler.output.registry import FORMATS, colour_wanted  # noqa: PLC0415 - keeps --help quick

        self._output = output
        self._files = _parse_output_files(output_files, tuple(FORMATS))
        tty = sys.stdout is not None and sys.stdout.isatty()
        here = Options(verbose=verbose)
        self._in_file = here if from_top else replace(here, folder=_folder(), root=_root())
        self._options = replace(
            self._in_file,
            width=min(MAX_WIDTH, shutil.get_terminal_size().columns) if tty else MAX_WIDTH,
            colour=colour_wanted(os.environ, isatty=tty, no_color=no_color),
        )

    def report(self, result: Result) -> None:
        """Write every wanted format of ``result``."""
        from reconciler.output.registry import render  # noqa: PLC0415 - keeps --help quick

        in_file, shown = _at(result, self._in_file), _at(result, self._options)
        for name, path in self._files:
            write_file(path, render(result, name, in_file))
        write(render(result, self._output, shown))
        if self._output == "github" and os.environ.get("GITHUB_STEP_SUMMARY"):
            append_summary(Path(os.environ["GITHUB_STEP_SUMMARY"]), render(result, "markdown", in_file))


def _at(result: Result, options: Options) -> Options:
    """The options for a result that names its files from the top of a repository, wherever we run."""
    from reconciler.model.review import Review  # noqa: PLC0415 - a command without a result needs none of it

    return replace(options, folder=result.top, root=result.top) if isinstance(result, Review) else options


def _folder() -> str:
    """Where we are; nothing where that folder was deleted under us."""
    try:
        return Path.cwd().as_posix()
    except OSError:
        return ""


def _root() -> str:
    """The top of the checkout as GitHub Actions and GitLab name it; elsewhere where we are.

    See https://docs.github.com/actions/reference/variables-reference and
    https://docs.gitlab.com/ci/variables/predefined_variables/.
    """
    named = (os.environ.get(name, "") for name in ("GITHUB_WORKSPACE", "CI_PROJECT_DIR"))
    return next((Path(root).as_posix() for root in named if root), "") or _folder()


def _parse_output_files(given: tuple[str, ...], formats: tuple[str, ...]) -> tuple[tuple[str, Path], ...]:
    parsed = []
    for item in given:
        name, separator, path = item.partition("=")
        if not separator or not path or name not in formats:
            known = ", ".join(sorted(formats))
            raise UsageError(
                f"--output-file takes FORMAT=PATH, FORMAT being one of {known}", hint=f"got {item!r}"
            )
        parsed.append((name, Path(path)))
    return tuple(parsed)


def write_file(path: Path, text: str) -> None:
    """Replace ``path`` by ``text`` in one step, so that a reader never sees half of it.

    A link, a pipe or a device (``/dev/stdout``) is written through instead: with a file put in its
    place, every other program of the machine would lose it. Raise ``UsageError`` when the folder or
    the disk does not let us.
    """
    temporary: Path | None = None
    try:
        if path.exists() and (path.is_symlink() or not path.is_file()):
            path.write_text(text, encoding="utf-8")
            return
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        temporary = Path(name)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
    except OSError as error:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        reason = error.strerror or "the file system refused"
        raise UsageError(
            f"cannot write {path}: {reason}", hint="choose a folder that can be written"
        ) from None


def append_summary(path: Path, text: str) -> None:
    """Add ``text`` to the summary of a step; say on standard error where it does not fit or go in.

    Annotations show ten of a kind and one line of each, so the job's page holds the rest. What was
    found is told already, so a summary that cannot be written changes no exit code.
    """
    added = f"{text}\n".encode()
    try:
        with path.open("ab") as file:
            if file.tell() + len(added) > _SUMMARY_LIMIT:
                logs.say("note: the summary of this step is full; nothing was added to it", level="warning")
                return
            file.write(added)
    except OSError as error:
        reason = error.strerror or "the file system refused"
        logs.say(f"note: the summary of this step cannot be written: {reason}", level="warning")


def write(text: str) -> None:
    """Write ``text`` to standard output, in what its encoding can show; nowhere when it was closed.

    Raise ``OutputLost`` where it takes no more, as a full disk does.
    """
    encoding = sys.stdout.encoding if sys.stdout is not None else None
    try:
        click.echo(encodable(text, encoding or "utf-8"), nl=not text.endswith("\n"))
    except BrokenPipeError:
        raise
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is left is not tried again
        raise OutputLost(
            f"standard output cannot be written: {error.strerror or 'the system refused'}",
            hint="what was done stands: `reconcile status` and `reconcile history` tell it",
        ) from None
