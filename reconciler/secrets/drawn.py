"""Whether text looks drawn at random, as keys are, or written by people. All of it takes bytes of ASCII."""

from __future__ import annotations

import re
from typing import Final

_LOWER: Final = re.compile(rb"[a-z]")
_UPPER: Final = re.compile(rb"[A-Z]")
_DIGIT: Final = re.compile(rb"[0-9]")
_WORD_AND_NUMBER: Final = re.compile(rb"([A-Za-z]+)[0-9]{0,5}")
_BETWEEN: Final = re.compile(rb"[^A-Za-z0-9]+")
_MIN_DISTINCT: Final = 8
_MIN_SHARE: Final = 8
_SHORT_WORD: Final = 4
_DATE: Final = 8

#: The 80 pairs of letters that are most frequent in the names of 17,000 variables, functions and classes of
#: the Python packages that this project uses. Of all pairs they are an eighth, in names they are most.
_PAIRS: Final = frozenset(
    b"er te at et on de in st ti re nt or ri es ra ge en pr co tr io li le ar ta ic iv va po se al to it ma"
    b" an rd ed ac ns ec ro os ng ep ct si is el me la ce un nd bl nc ke ss ap pe ut ad rs ne ca ou eg ol ur"
    b" tc th ub tt as ll ts ch di ea pu ve".split()
)
_MOST_PAIRS: Final = 0.4
_MOST_DIGITS: Final = 1 / 6


def mixed(value: bytes) -> bool:
    """Whether ``value`` has at least two of lower case, upper case and digits."""
    return sum(bool(one.search(value)) for one in (_LOWER, _UPPER, _DIGIT)) > 1


def varied(value: bytes) -> bool:
    """Whether ``value`` has as many different characters as no row of ``x`` has."""
    return len(set(value)) >= _MIN_DISTINCT


def wordy(value: bytes) -> bool:
    """Whether ``value`` reads like words put together, as ``getApiKeyFor``: by its letters and few digits.

    Nineteen in twenty names do. Of random letters and digits one in 100 does when there are 18, one in 1000
    when there are 32, and none when there are 64.
    """
    letters = value.lower()
    pairs = [letters[at : at + 2] for at in range(len(letters) - 1)]
    told = [pair for pair in pairs if pair.isalpha()]
    common = sum(pair in _PAIRS for pair in told)
    digits = sum(one in b"0123456789" for one in value)
    return common >= _MOST_PAIRS * max(1, len(told)) and digits < _MOST_DIGITS * len(value)


def drawn(value: bytes) -> bool:
    """Whether ``value`` looks drawn from lower case, upper case and digits, as no digest in hex does.

    Of 32 letters and digits at random one in 200 does not, for want of a digit.
    """
    return (
        bool(_DIGIT.search(value))
        and all(len(one.findall(value)) * _MIN_SHARE >= len(value) for one in (_LOWER, _UPPER))
        and varied(value)
        and not wordy(value)
    )


def spelt(value: bytes) -> bool:
    """Whether ``value`` is made of words and numbers: a name, a path, a URL, a variable, a sentence."""
    return all(_is_spelt(part) for part in _BETWEEN.split(value) if part)


def _is_spelt(part: bytes) -> bool:
    if part.isdigit():
        return len(part) <= _DATE
    found = _WORD_AND_NUMBER.fullmatch(part)
    if found and (len(found[1]) <= _SHORT_WORD or found[1].isupper()):
        return True
    return wordy(part)
