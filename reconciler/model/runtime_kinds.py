"""Why a runtime could not be read or did not obey, and what each kind means for people."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from reconciler.model.kinds import KindText


class RuntimeFailureKind(StrEnum):
    """Why a call to a runtime did not succeed."""

    UNREACHABLE = "runtime_unreachable"
    UNAUTHORISED = "runtime_unauthorised"
    REFUSED = "runtime_refused"
    WRONG_VERSION = "runtime_wrong_version"
    WRONG_BOT = "runtime_wrong_bot"
    UNEXPECTED_ANSWER = "runtime_unexpected_answer"
    LOCKED = "runtime_locked"
    NOT_ALLOWED = "runtime_not_allowed"


Kind = RuntimeFailureKind

RUNTIME_KINDS: Final[Mapping[Kind, KindText]] = MappingProxyType(
    {
        Kind.UNREACHABLE: KindText(
            title="No answer",
            cause="Nothing answers at the runtime's url in time: it is down, restarting, behind a firewall, "
            "or its certificate could not be verified.",
            fix="Start the runtime, or correct `url` in the files and in its secret file; then run again.",
        ),
        Kind.UNAUTHORISED: KindText(
            title="Login refused",
            cause="The runtime does not accept the credentials in its secret file.",
            fix="Put the credentials that the runtime is configured with into its secret file with "
            "`sops edit`.",
        ),
        Kind.REFUSED: KindText(
            title="Refused",
            cause="The runtime understood the request and would not do it, or cannot do it at all.",
            fix="Read the message, and the runtime's own log; docs/runtimes says what each runtime can do.",
        ),
        Kind.WRONG_VERSION: KindText(
            title="Unsupported version",
            cause="The runtime is of a version whose API works otherwise than this tool knows.",
            fix="Upgrade the runtime to a version that docs/runtimes names.",
        ),
        Kind.WRONG_BOT: KindText(
            title="Not the expected bot",
            cause="What answers is not what was judged: another bot took its place, or somebody changed what "
            "it trades.",
            fix="Compare what runs at the runtime's url with the files, then run again.",
        ),
        Kind.UNEXPECTED_ANSWER: KindText(
            title="Unexpected answer",
            cause="What answers at the runtime's url does not speak its API: a login page, a proxy, a "
            "redirect, or an answer of another shape or size.",
            fix="Let `url` name the runtime's API itself, without anything that redirects in between.",
        ),
        Kind.LOCKED: KindText(
            title="Credentials not readable",
            cause="The runtime's credentials, in its secret file or in the operator's kubeconfig, could not "
            "be had here, or are not what its type needs, so it was not asked.",
            fix="`reconcile validate` says what is wrong with the file, `reconcile doctor` what with this "
            "machine.",
        ),
        Kind.NOT_ALLOWED: KindText(
            title="Not allowed here",
            cause="The runtime is a command that the files choose, and whoever runs this tool did not allow "
            "such commands.",
            fix="If everybody who can change the files may run programs on this machine, give "
            "`--allow-commands`.",
        ),
    }
)
