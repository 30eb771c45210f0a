"""The command: its arguments, and what it says at the end."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from support.command import here, refused
from support.deployments import (
    deployment,
    environment_of,
    filled,
)
from support.servers.brokers import Broker


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--partitions", 3, "--to-prefix", "{prefix}"), 2, "expected names that the present topics do not have"),
        (("--partitions", 0, "--to-prefix", "new-"), 2, "expected a whole number from 1 to"),
        (("--partitions", 10_001, "--to-prefix", "new-"), 2, "expected a whole number from 1 to"),
        (("--partitions", "many", "--to-prefix", "new-"), 2, "expected a whole number from 1 to"),
        (("--partitions", 3, "--to-prefix", "new/"), 2, "expected only letters"),
        (("--partitions", 3, "--to-prefix", "n" * 245), 2, "at most 249 characters"),
        (("--partitions", 3), 2, "--to-prefix"),
        (("--partitions", 3, "--to-prefix", "new-", "--to-name", "clocks=x"), 2, "expected TOPIC=NAME"),
        (("--partitions", 3, "--to-prefix", "new-", "--to-name", "clicks={prefix}clicks"), 2, "the present topics"),
        (("--partitions", 3, "--to-prefix", "new-", "--to-name", "clicks=x", "--to-name", "reviews=x"), 2, "its own"),
        (("--partitions", 3, "--to-prefix", "new-", "--to-name", "group={prefix}wherewithal"), 2, "another group"),
        (("--partitions", 3, "--to-prefix", "new-"), 1, "expected a topic"),
    ],
    ids=range(12),
)
def test_what_cannot_be_done_is_refused_in_a_line(
    broker: Broker, words: tuple[object, ...], code: int, said: str
) -> None:
    filled_in = [str(word).format(prefix=broker.topic_prefix) for word in words]
    assert said in refused(code, "repartition", *filled_in, **broker.environment)


def test_the_words_at_the_end_name_what_changes(broker: Broker, tmp_path: Path) -> None:
    old = deployment(broker, tmp_path, "old", 2)
    named = old.model_copy(update={"topic_clicks": f"{old.topic_prefix}shop.clicks", "group_id": "theirs"})
    asyncio.run(filled(named, 5))
    variables = environment_of(named) | {
        "WHEREWITHAL_TOPIC_CLICKS": named.topic_clicks or "",
        "WHEREWITHAL_GROUP_ID": "theirs",
        "WHEREWITHAL_START_FROM": "latest",
    }
    prefix = f"{old.topic_prefix}new-"
    words = ("repartition", "--partitions", 3, "--to-prefix", prefix, "--to-name", f"reviews={prefix}shop.reviews")
    code, out, err = here(*words, **variables)
    assert code == 0, err
    for line in (
        f"WHEREWITHAL_TOPIC_PREFIX={prefix}",
        "unset WHEREWITHAL_GROUP_ID",
        "unset WHEREWITHAL_TOPIC_CLICKS",
        "WHEREWITHAL_REKEY_GROUP_ID=theirs-rekey",
        f"WHEREWITHAL_TOPIC_REVIEWS={prefix}shop.reviews",
        "unset WHEREWITHAL_START_FROM",
        "WHEREWITHAL_PARTITIONS=3",
        f"WHEREWITHAL_ONLINE_STORE={old.model_copy(update={'online_store': None}).online_url}",
        f"{named.topic_clicks} -> {prefix}clicks, partitions 3",
    ):
        assert line in [line.strip() for line in out.splitlines()]
    assert "5 states copied from 2 to 3 partitions" in out
