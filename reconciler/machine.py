"""Which user runs this, and which hosts are this very machine: what several rooms must say alike."""

from __future__ import annotations

import getpass
import os
from ipaddress import ip_address


def user() -> str:
    """The name of the user who runs this process, or its number: a container's user often has no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def is_this_one(host: str) -> bool:
    """Whether ``host`` is this machine: ``localhost`` by its meaning, any other only as a loopback address.

    Another name is looked up at the moment of sending, by whoever answers for it then.
    """
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
