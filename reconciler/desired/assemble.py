"""Files to model: the steps in their order, and every problem of every step at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path as FilePath

from reconciler.desired import files, references, schema
from reconciler.desired.build import Builder
from reconciler.desired.document import Document, Path, Plain
from reconciler.desired.loader import load_document, no_garbage_collection
from reconciler.desired.merge import merge
from reconciler.model.desired import Desired
from reconciler.model.errors import ConfigError, Problem, UsageError


def load(paths: Sequence[str | FilePath], *, instead: Mapping[str, bytes] | None = None) -> Desired:
    """Everything that the files say. ``paths`` are files, and folders whose files are merged.

    ``instead`` gives, by real path, what a file is to say in place of what it says now: a change is
    judged before it is written, also of a file that is not there yet.
    Needs no key and no network; opens no secret file. Raise :class:`ConfigError` with every problem
    in every file, by file and line; :class:`UsageError` when ``paths`` is empty.
    """
    if not paths:
        raise UsageError("no configuration was named", hint="name a file or a folder with --file")
    with no_garbage_collection():
        found = files.find(paths, instead or {})
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
        builder = Builder(merged)
        desired = builder.desired(tuple(document.file for document in documents))
        problems += [*merged.problems, *builder.problems, *references.check(merged, desired)]
    if problems:
        raise ConfigError(problems)
    return desired


def _documents(found: files.Found) -> tuple[list[Document], list[Problem]]:
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
