"""A secret file that this machine cannot read now is not a wrong file."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from reconciler.model.errors import Mark, NotASecretFile, SecretsError
from reconciler.secrets.files import read_within

MARK = Mark(file="connections.yaml", line=3)


@contextmanager
def no_descriptor_left() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_machine_out_of_descriptors_says_nothing_of_the_file(tmp_path):
    """A wrong file fails its check and stops what runs at once; trouble of the machine must not."""
    path = tmp_path / "key.sops.yaml"
    path.write_bytes(b"secret")
    with no_descriptor_left(), pytest.raises(SecretsError, match="too many open files") as caught:
        read_within(str(path), root=str(tmp_path), limit=100, mark=MARK)
    assert not isinstance(caught.value, NotASecretFile)
    assert caught.value.mark == MARK
    assert read_within(str(path), root=str(tmp_path), limit=100, mark=MARK) == b"secret"


def test_a_path_that_leads_to_no_file_is_wrong_in_itself(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "loop").symlink_to("loop")
    for name in ("absent", "file/below", "loop", "x" * 300, "a\0b", "."):
        with pytest.raises(NotASecretFile) as caught:
            read_within(str(tmp_path / name), root=str(tmp_path), limit=100, mark=MARK)
        assert caught.value.hint
