"""The digest of a table: the same in any order and partition, another one for any other table."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streams.operating.repartitioning.table_digest import TableDigest

ROWS = st.lists(st.tuples(st.binary(max_size=4), st.binary(max_size=4)), max_size=6)


def digest_of(rows: list[tuple[bytes, bytes]]) -> TableDigest:
    digest = TableDigest()
    for key, value in rows:
        digest.add(key, value)
    return digest


@given(ROWS, st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(rows, rng):
    shuffled = list(rows)
    rng.shuffle(shuffled)
    assert digest_of(shuffled) == digest_of(rows)
    assert digest_of(shuffled).hexdigest == digest_of(rows).hexdigest


@given(ROWS, ROWS)
def test_tables_with_other_rows_or_other_numbers_of_them_differ(one, other):
    assert (digest_of(one) == digest_of(other)) == (sorted(one) == sorted(other))
    assert (digest_of(one).hexdigest == digest_of(other).hexdigest) == (sorted(one) == sorted(other))


@given(st.binary(), st.binary(), st.binary(min_size=1))
def test_no_byte_moves_between_a_key_and_its_value(key, value, moved):
    assert digest_of([(key + moved, value)]) != digest_of([(key, moved + value)])


def test_equal_rows_do_not_cancel():
    assert digest_of([(b"a", b"1"), (b"a", b"1")]) != digest_of([])
    assert digest_of([]).rows == 0
