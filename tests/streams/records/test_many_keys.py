"""Many keys at once are placed as each of them alone."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.records.many_keys import check_states, partitions_of_keys
from streams.records.placement import MisplacedKeyError, partition_of_key

KEYS = st.lists(st.binary(max_size=40) | st.text(max_size=9).map(str.encode), max_size=60)


@settings(deadline=None)
@given(KEYS, st.integers(1, 2**31 - 1))
def test_each_key_has_the_partition_that_it_has_alone(keys: list[bytes], partitions: int) -> None:
    assert list(partitions_of_keys(keys, partitions)) == [partition_of_key(key, partitions) for key in keys]


def test_the_first_key_of_another_partition_is_told() -> None:
    keys = [f"user-{number}".encode() for number in range(1000)]
    own = [key for key in keys if partition_of_key(key, 4) == 2]
    check_states(own, 2, 4, "users-changelog")
    check_states([], 2, 4, "users-changelog")
    strays = [key for key in keys if partition_of_key(key, 4) != 2]
    with pytest.raises(MisplacedKeyError, match=f"found one of partition {partition_of_key(strays[0], 4)}"):
        check_states([*own[:100], *strays, *own[100:]], 2, 4, "users-changelog")
