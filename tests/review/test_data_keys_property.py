from __future__ import annotations

import base64
import random

from hypothesis import given
from hypothesis import strategies as st

from reconciler.review.data_keys import DataKeys
from reconciler.secrets.envelope import read_envelope
from reconciler.secrets.sealed import sealed


def ciphertext(number):
    """Of the shape that sops writes; the same for the same number alone."""
    source = random.Random(number)  # noqa: S311 - made up
    data, iv, tag = (base64.b64encode(source.randbytes(size)).decode() for size in (9, 32, 16))
    return f"ENC[AES256_GCM,data:{data},iv:{iv},tag:{tag},type:str]"


def version(signs, place):
    """A secret file that says these things: each sign is a value, a wrap or the MAC by its number."""
    values = [f"v{number}: {ciphertext(number)}\n" for number in signs if number % 3 == 0]
    wraps = [
        f"        - recipient: age1x{number}\n          enc: wrap {number}\n"
        for number in signs
        if number % 3 == 1
    ]
    macs = [ciphertext(number) for number in signs if number % 3 == 2]
    mac = f"    mac: {macs[0]}\n" if macs else ""
    text = "".join(
        (
            "connection: x\n",
            *values,
            "sops:\n    version: 3.11.0\n",
            "    age:\n" if wraps else "",
            *wraps,
            mac,
        )
    )
    return sealed(read_envelope(text.encode(), file=f"{place}.sops.yaml"))


SIGNS = st.sets(st.integers(0, 14), max_size=4).map(
    # A file has one MAC.
    lambda signs: (
        {one for one in signs if one % 3 != 2} | set(sorted(one for one in signs if one % 3 == 2)[:1])
    )
)


def reachable(start, held):
    """The oracle: whatever a chain of common signs leads to, step by step."""
    found, waiting = {start}, [start]
    while waiting:
        here = waiting.pop()
        for other, signs in enumerate(held):
            if other not in found and signs & held[here]:
                found.add(other)
                waiting.append(other)
    return found


@given(held=st.lists(SIGNS, min_size=1, max_size=12))
def test_versions_have_one_data_key_exactly_where_a_chain_leads(held):
    versions = [version(sorted(signs), place) for place, signs in enumerate(held)]
    keys = DataKeys(versions)
    for place, one in enumerate(versions):
        found = {versions.index(kin) for kin in keys.kin(one)}
        assert found == (reachable(place, held) if held[place] else set())


@given(held=st.lists(SIGNS, min_size=2, max_size=8), data=st.data())
def test_neither_the_order_of_versions_nor_one_given_twice_matters(held, data):
    versions = [version(sorted(signs), place) for place, signs in enumerate(held)]
    shuffled = data.draw(st.permutations(versions))
    one = versions[0]
    names = [
        {kin.file for kin in keys.kin(one)} for keys in (DataKeys(versions), DataKeys([*shuffled, *versions]))
    ]
    assert names[0] == names[1]


@given(held=st.lists(SIGNS, min_size=1, max_size=8), signs=SIGNS)
def test_of_a_version_that_was_not_given_the_kin_are_those_it_shares_something_with(held, signs):
    versions = [version(sorted(some), place) for place, some in enumerate(held)]
    stranger = version(sorted(signs), "stranger")
    found = {versions.index(kin) for kin in DataKeys(versions).kin(stranger)}
    direct = {place for place, some in enumerate(held) if some & signs}
    assert found == set().union(*(reachable(place, held) for place in direct))
