"""The files of one freqtrade bot, merged as freqtrade merges them.

``freqtrade/configuration/load_config.py`` and ``deep_merge_dicts`` (2024.10 and 2026.9): of several files a
later one wins; a file wins over what its own ``add_config_files`` name, which are relative to it.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from reconciler.importing.json_text import read_json
from reconciler.importing.node import Node, Unreadable, unreadable
from reconciler.model.errors import ConfigError, Mark, Problem

#: As deep as freqtrade goes before it calls it a loop.
_LEVELS: Final = 5
#: Files that include one another sideways grow without ever being deep.
MOST_FILES: Final = 20
#: What the next name of the same list could only repeat.
_HOPELESS: Final = frozenset({"config-loop", "too-many-files"})

_CHAIN: Final = "add_config_files"


def load(files: Sequence[str]) -> tuple[Node, tuple[str, ...]]:
    """The merged configuration, and every file that it came from in freqtrade's order.

    Raise :class:`ConfigError` with everything that is wrong with any of the files.
    """
    loading = _Loading()
    config = loading.all_of(files, None, 0, Mark(file=files[0], line=1))
    if loading.problems:
        raise ConfigError(loading.problems)
    return config, tuple(loading.files)


class _Loading:
    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.files: list[str] = []

    def all_of(self, files: Sequence[str], beside: Path | None, level: int, mark: Mark) -> Node:
        config = Node({}, mark)
        for number, name in enumerate(files):
            try:
                node = self._one(name, beside, level, mark)
            except Unreadable as error:
                self.problems.append(error.problem)
                if error.problem.code in _HOPELESS:
                    break
                continue
            config = Node(node.value, node.mark) if number == 0 else _merged(node, config)
        return config

    def _one(self, name: str, beside: Path | None, level: int, mark: Mark) -> Node:
        if name == "-":
            raise unreadable(mark, "standard-input", "standard input is not read", "name the file")
        if level > _LEVELS:
            raise unreadable(
                mark, "config-loop", f"`{_CHAIN}` leads in a circle", "freqtrade refuses it, too"
            )
        if len(self.files) >= MOST_FILES:
            message = f"a bot of more than {MOST_FILES} files is not read"
            raise unreadable(mark, "too-many-files", message, "put them together")
        path = Path(beside or "", name)
        self.files.append(str(path))
        node = read_json(path)
        chain = node.get(_CHAIN)
        if chain is None:
            return node
        names = [item.value for item in node.items(_CHAIN) if isinstance(item.value, str)]
        if not isinstance(chain.value, list) or len(names) != len(chain.value):
            raise unreadable(chain.mark, "bad-chain", f"`{_CHAIN}` is no list of file names", "mend it")
        below = self.all_of(names, Path(os.path.realpath(path)).parent, level + 1, chain.mark)
        return _merged(node, below)


def _merged(source: Node, destination: Node) -> Node:
    """``destination`` with ``source`` over it: mappings are merged, all else is replaced, nulls included."""
    if not isinstance(source.value, dict) or not isinstance(destination.value, dict):
        return source
    below = destination.value
    over = {
        name: _merged(node, below[name]) if name in below else node for name, node in source.value.items()
    }
    return Node({**below, **over}, source.mark)
