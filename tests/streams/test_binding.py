"""The state folder and what it is bound to."""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.binding import bind
from streams.exceptions import ConfigurationError, StateMismatchError
from streams.kafka import Cluster
from streams.settings import load_settings


def test_a_folder_is_bound_to_the_first_cluster_that_it_sees(tmp_path: Path) -> None:
    settings = load_settings(state_dir=tmp_path / "state")
    bind(settings, Cluster("one", 4))
    bind(settings, Cluster("one", 4))
    for other in (Cluster("two", 4), Cluster("one", 8)):
        with pytest.raises(StateMismatchError, match="holds state of cluster 'one' with 4 partitions"):
            bind(settings, other)


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
