"""The files over time: what counts as a change, what as rest, what goes on while they are broken."""

from __future__ import annotations

import json
import shutil

import pytest

from reconciler.engine.changes import Changes
from reconciler.engine.configuration import CALM, Configuration
from reconciler.model.errors import ReconcilerError
from reconciler.resources import folder

EXAMPLES = folder("examples")


class Tree:
    """A folder of configuration whose changes a test makes, also while somebody waits."""

    def __init__(self, root):
        self.root = root
        self.meanwhile = []
        self.slept = []
        self.it = Configuration((str(root),), sleep=self.sleep)

    async def sleep(self, seconds):
        self.slept.append(seconds)
        if self.meanwhile:
            self.meanwhile.pop(0)()

    def write(self, name, **document):
        (self.root / name).write_text(json.dumps({"version": 1, **document}))

    def strategy(self, name):
        self.write(f"{name}.yaml", strategies={name: STRATEGY | {"name": name}})

    async def take(self):
        """Read and accept what there is; gives the ids of strategies, ``None`` without news."""
        found = await self.it.candidate()
        if found is None:
            return None
        self.it.accept(found)
        return sorted(found.strategies)


STRATEGY = {
    "connection": "mexc-spot-main",
    "runtime": "paper",
    "enabled": True,
    "pairs": ["BTC/USDT"],
    "risk_level": "conservative",
    "margin_limit": {"amount": "500", "currency": "USDT"},
}


@pytest.fixture
def tree(tmp_path):
    root = tmp_path / "conf"
    shutil.copytree(EXAMPLES / "secrets", root / "secrets")
    made = Tree(root)
    connection = {
        "name": "M",
        "exchange": "mexc",
        "market": "spot",
        "credentials": "secrets/mexc-spot-main.sops.yaml",
    }
    made.write(
        "base.yaml", connections={"mexc-spot-main": connection}, runtimes={"paper": {"type": "ledger"}}
    )
    made.strategy("a")
    return made


async def test_the_first_is_taken_as_it_is_and_nothing_new_is_no_candidate(tree):
    assert await tree.take() == ["a"]
    assert tree.slept == []
    assert not tree.it.changed()
    assert await tree.take() is None


async def test_files_count_once_they_are_at_rest(tree):
    """A strategy that moves to another file is in neither of them for an instant."""
    await tree.take()
    (tree.root / "a.yaml").unlink()
    tree.meanwhile = [lambda: tree.strategy("b"), lambda: tree.strategy("a")]
    assert await tree.take() == ["a", "b"]
    assert tree.slept == [CALM] * 3


async def test_files_that_never_rest_change_nothing_until_they_do(tree):
    await tree.take()
    tree.strategy("b")
    tree.meanwhile = [lambda n=n: tree.strategy(f"c{n}") for n in range(50)]
    assert await tree.take() is None
    assert tree.it.problem is None
    tree.meanwhile = []
    assert "b" in await tree.take()


async def test_a_touch_is_no_change_and_a_change_back_is_none(tree):
    await tree.take()
    file = tree.root / "a.yaml"
    text = file.read_text()
    file.write_text(text)
    assert not tree.it.changed()
    file.write_text("x: [")
    assert tree.it.changed()
    file.write_text(text)
    assert not tree.it.changed()


async def test_what_is_broken_is_told_and_the_last_good_one_stays(tree):
    await tree.take()
    good = tree.it.desired
    (tree.root / "a.yaml").write_text("x: [")
    assert await tree.take() is None
    assert tree.it.stands_in
    assert tree.it.desired is good
    assert "a.yaml:2:1: " in tree.it.summary()
    assert await tree.take() is None, "it is not read again before it changes"
    tree.strategy("a")
    assert await tree.take() == ["a"]
    assert (tree.it.stands_in, tree.it.summary()) == (False, None)


async def test_a_change_of_a_secret_file_is_one(tree):
    await tree.take()
    file = tree.root / "secrets" / "mexc-spot-main.sops.yaml"
    file.write_bytes(file.read_bytes() + b"\n")
    assert tree.it.changed()
    assert await tree.take() == ["a"]
    file.unlink()
    assert await tree.take() is None
    assert "no such secret file" in tree.it.summary()


async def test_what_breaks_a_parser_is_a_broken_configuration(tree, monkeypatch):
    await tree.take()

    def broken(*_):
        raise RecursionError("what stands in the file")

    monkeypatch.setattr("reconciler.engine.configuration.read", broken)
    tree.strategy("b")
    assert await tree.take() is None
    assert isinstance(tree.it.problem, ReconcilerError)
    assert "RecursionError" in tree.it.summary()
    assert "what stands" not in tree.it.summary()


async def test_every_folder_that_matters_is_watched_and_no_hidden_one(tree):
    await tree.take()
    (tree.root / "deep" / "er").mkdir(parents=True)
    (tree.root / ".git" / "objects").mkdir(parents=True)
    names = {str(path.relative_to(tree.root)) for path in tree.it.folders() if path.is_relative_to(tree.root)}
    assert names == {".", "secrets", "deep", "deep/er"}


async def test_folders_that_cannot_be_watched_are_told_once(tmp_path):
    failed = []
    changes = Changes(lambda: None, failed.append)
    await changes.watch([tmp_path / "nowhere"])
    assert changes._task is None
    here = tmp_path / "here"
    here.mkdir()
    await changes.watch([here])
    watching = changes._task
    await changes.watch([here])
    assert changes._task is watching, "the same folders are watched on"
    here.rename(tmp_path / "away")
    here.mkdir()
    await changes.watch([here])
    assert changes._task is not watching, "another folder of the same name"
    await changes.close()
    assert failed == []
