"""From owners to what their secret files hold: judged on ciphertext, then decrypted, then judged again."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event, Lock
from typing import Final, TypeAlias

from reconciler.model.desired import CredentialRef, Policy
from reconciler.model.errors import SecretsError, SopsHung
from reconciler.model.secret import Secret
from reconciler.secrets.envelope import Envelope, read_envelope
from reconciler.secrets.files import CONFIG_FILE_LIMIT, SECRET_FILE_LIMIT, read_within
from reconciler.secrets.judging import judge, take
from reconciler.secrets.owner import Owner
from reconciler.secrets.sops import Sops

Opened: TypeAlias = Mapping[str, Secret] | SecretsError
"""The fields of one owner by name, or why they could not be had."""

Read: TypeAlias = Callable[[CredentialRef], bytes]
"""Gives a file's bytes, or raises ``SecretsError``."""

#: On so many files sops may hang, each for its whole time limit, before the others are not tried.
HANGS: Final = 3


def read_ciphertext(ref: CredentialRef) -> bytes:
    """The bytes of the file on the disk that ``ref`` names. Raise as :func:`read_within`."""
    limit = CONFIG_FILE_LIMIT if ref.inline else SECRET_FILE_LIMIT
    return read_within(ref.file, root=ref.root, top=ref.top, limit=limit, mark=ref.mark)


def inspect_owners(
    owners: Sequence[Owner], *, policy: Policy, read: Read = read_ciphertext
) -> dict[str, tuple[SecretsError, ...]]:
    """Everything that is wrong with each owner's file as far as ciphertext tells, by id.

    Reads each file once: a configuration file with inline values may hold thousands of connections.
    Needs no key, starts nothing, connects to nothing.
    """
    found: dict[str, tuple[SecretsError, ...]] = {}
    for group in _by_file(owners):
        try:
            loaded = _load(group[0], read)
        except SecretsError as error:
            found |= {owner.id: (error,) for owner in group}
            continue
        found |= {owner.id: tuple(judge(owner, loaded.envelope, policy)) for owner in group}
    return {owner.id: found[owner.id] for owner in owners}


def open_owners(
    owners: Sequence[Owner],
    *,
    sops: Sops,
    policy: Policy,
    cancel: Event | None = None,
    read: Read = read_ciphertext,
    each: Callable[[Mapping[str, Opened]], None] | None = None,
) -> dict[str, Opened]:
    """The fields of every owner by its id, or the first error of those that have none.

    Only a file that :func:`inspect_owners` finds nothing wrong with is decrypted, each once, as many side
    by side as there are processors. One failing file never fails the rest. Setting ``cancel`` from another
    thread ends it early. Once sops hung on :data:`HANGS` files the others are not tried: what it waits for
    is the same for all. ``read`` is called once for each file. ``each`` hears what came of one file as
    soon as it did, in a thread of its own: others may still hang.
    """
    stop, patience = cancel or Event(), _Patience()

    def work(group: Sequence[Owner]) -> dict[str, Opened]:
        opened = _open_file(group, sops=sops, policy=policy, cancel=stop, patience=patience, read=read)
        if each:
            each(opened)
        return opened

    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1, thread_name_prefix="sops") as pool:
        try:
            opened = [result for results in pool.map(work, _by_file(owners)) for result in results.items()]
        except BaseException:
            # Interrupted: end the running children instead of waiting for their time limits.
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    by_id = dict(opened)
    return {owner.id: by_id[owner.id] for owner in owners}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Loaded:
    blob: bytes
    envelope: Envelope


class _Patience:
    """Counts on how many files sops hung, and ends the trying after too many."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._hung = 0

    @contextmanager
    def heeded(self, envelope: Envelope) -> Iterator[None]:
        """Let one file be tried. Raise ``SopsHung`` at once when patience is at its end."""
        if self._hung >= HANGS:
            raise SopsHung(
                f"not tried, since sops hung on {HANGS} other files",
                hint="a key command, an agent or a key service hangs: try `sops decrypt FILE` here",
                mark=envelope.mark,
            )
        try:
            yield
        except SopsHung:
            with self._lock:
                self._hung += 1
            raise


def _by_file(owners: Sequence[Owner]) -> list[list[Owner]]:
    groups: dict[tuple[str, str, str, bool], list[Owner]] = {}
    for owner in owners:
        ref = owner.ref
        groups.setdefault((ref.top, ref.file, ref.root, ref.inline), []).append(owner)
    return list(groups.values())


def _load(owner: Owner, read: Read) -> _Loaded:
    blob = read(owner.ref)
    return _Loaded(blob=blob, envelope=read_envelope(blob, file=owner.ref.file))


def _open_file(
    group: Sequence[Owner], *, sops: Sops, policy: Policy, cancel: Event, patience: _Patience, read: Read
) -> dict[str, Opened]:
    """One file's owners: what was judged is what is decrypted, from memory."""
    opened: dict[str, Opened] = {}
    try:
        loaded = _load(group[0], read)
    except SecretsError as error:
        return {owner.id: error for owner in group}
    sound = []
    for owner in group:
        if objection := next(judge(owner, loaded.envelope, policy), None):
            opened[owner.id] = objection
        else:
            sound.append(owner)
    if not sound:
        return opened
    try:
        with patience.heeded(loaded.envelope):
            document = sops.decrypt(loaded.blob, file=loaded.envelope.file, policy=policy, cancel=cancel)
    except SecretsError as error:
        return opened | {owner.id: error for owner in sound}
    return opened | {owner.id: take(owner, document) for owner in sound}
