"""Files to model: the steps in their order, and every problem of every step at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path as FilePath

from reconciler.desired import references, schema
from reconciler.desired.build import Builder
from reconciler.desired.disk import Disk
from reconciler.desired.document import Document, Path, Plain
from reconciler.desired.files import Files, Found
from reconciler.desired.loader import load_document, no_garbage_collection
from reconciler.desired.merge import Merged, merge
from reconciler.model.desired import Desired
from reconciler.model.errors import ConfigError, Mark, Problem, UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What could be read, and everything wrong with the rest.

    ``unread`` are the entries that are written but not part of ``desired``, as (section, id), with
    their places: something is wrong with them, so nobody knows what they want.
    """

    desired: Desired
    problems: tuple[Problem, ...] = ()
    unread: Mapping[tuple[str, str], Mark] = field(default_factory=dict)


def load(paths: Sequence[str | FilePath], *, files: Files | None = None) -> Desired:
    """Everything that the files say. ``paths`` are files, and folders whose files are merged.

    Needs no key and no network; opens no secret file. ``files`` is where they are read from, the
    disk unless told otherwise. Raise :class:`ConfigError` with every problem in every file, by file
    and line; :class:`UsageError` when ``paths`` is empty.
    """
    loaded = load_sound(paths, files=files)
    if loaded.problems:
        raise ConfigError(loaded.problems)
    return loaded.desired


def load_sound(paths: Sequence[str | FilePath], *, files: Files | None = None) -> Loaded:
    """As :func:`load`, but give what is sound beside the problems. Nothing may ever be applied from it."""
    if not paths:
        raise UsageError("no configuration was named", hint="name a file or a folder with --file")
    files = files or Disk()
    with no_garbage_collection():
        found = files.find(paths)
        documents, problems = _documents(found)
        problems += found.problems
        wrong: dict[str, list[Path]] = {}
        for document in documents:
            problems += document.problems
            wrong[document.file] = [*document.broken]
            if document.complete:
                refused = schema.check(document)
                wrong[document.file] += [path for path, _ in refused]
                problems += [problem for _, problem in refused]
            else:
                wrong[document.file].append(())
        merged = merge(documents, wrong)
        merged.complete = merged.complete and not found.problems
        builder = Builder(merged, files)
        desired = builder.desired(tuple(document.file for document in documents))
        problems += [*merged.problems, *builder.problems, *references.check(merged, desired)]
    return Loaded(desired=desired, problems=tuple(problems), unread=_unread(merged, desired))


def _unread(merged: Merged, desired: Desired) -> dict[tuple[str, str], Mark]:
    built: dict[str, Mapping[str, object]] = {
        "connections": desired.connections,
        "egress": desired.egress,
        "runtimes": desired.runtimes,
        "strategies": desired.strategies,
    }
    return {
        (section, key): item.key
        for section, items in built.items()
        for key, item in merged.known.get(section, {}).items()
        if key not in items
    }


def _documents(found: Found) -> tuple[list[Document], list[Problem]]:
    """The documents that are configuration, and a problem for each secret file that was named as one."""
    read = [
        (source, load_document(source.data, file=source.file, root=source.root)) for source in found.sources
    ]
    documents, problems = [], []
    for source, document in read:
        if not _is_secret_file(document.value):
            documents.append(document)
        elif source.named:
            problems.append(
                Problem(
                    mark=document.value_mark(()),
                    code="secret-file",
                    message="this is a secret file, not configuration",
                    fix="name the file with the connections; it refers to this one in `credentials`",
                )
            )
    if found.sources and not documents and not problems:
        for folder in dict.fromkeys(source.root for source in found.sources):
            found.refuse_empty(folder)
    return documents, problems


def _is_secret_file(value: Plain) -> bool:
    """Whether sops wrote this for one connection: such files may lie in a folder of configuration."""
    return isinstance(value, dict) and "sops" in value and not {"version", *schema.SECTIONS} & value.keys()
