"""The state folder and what it is bound to."""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.broker.topics.provisioning import Cluster
from streams.exceptions import ConfigurationError, StateMismatchError
from streams.settings import load_settings
from streams.worker.state.binding import bind


def test_a_folder_is_bound_to_the_first_cluster_that_it_sees(tmp_path: Path) -> None:
    settings = load_settings(state_dir=tmp_path / "state")
    bind(settings, Cluster("one", 4))
    bind(settings, Cluster("one", 4))
    with pytest.raises(StateMismatchError, match="holds state of cluster 'one', found cluster 'two': set WHEREWITHAL_"):
        bind(settings, Cluster("two", 4))


def test_a_folder_whose_topics_were_given_more_partitions_is_not_said_to_be_mended_by_another(tmp_path: Path) -> None:
    settings = load_settings(state_dir=tmp_path / "state")
    bind(settings, Cluster("one", 4))
    with pytest.raises(
        StateMismatchError, match=r"expected 4 partitions, as the state in .* has, found the topics 8"
    ) as refused:
        bind(settings, Cluster("one", 8))
    assert "start over behind a new WHEREWITHAL_TOPIC_PREFIX" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_folder_that_cannot_be_made_is_a_wrong_setting(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(ConfigurationError, match="WHEREWITHAL_STATE_DIR: expected a folder that can be written"):
            bind(load_settings(state_dir=path), Cluster("one", 4))


def test_a_binding_that_is_damaged_says_what_to_do(tmp_path: Path) -> None:
    settings = load_settings(state_dir=tmp_path)
    bind(settings, Cluster("one", 4))
    (tmp_path / "binding.json").write_text("{")
    with pytest.raises(StateMismatchError, match="cannot be read: remove its folder"):
        bind(settings, Cluster("one", 4))
