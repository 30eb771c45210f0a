import sys
from pathlib import Path

import pytest

from models.exceptions import MissingLibraryError
from models.libraries import FINETUNE, library


def test_a_library_that_is_there_is_returned() -> None:
    assert library("json.decoder").JSONDecoder().decode("1") == 1


@pytest.mark.parametrize(("name", "package"), [("sklearn.metrics", "scikit-learn"), ("surely_not.part", "surely_not")])
def test_a_missing_library_is_named_with_the_extra_that_brings_it(
    name: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, name.split(".")[0], None)
    monkeypatch.delitem(sys.modules, name, raising=False)
    for options, extra in (((), "train"), ((FINETUNE,), "finetune")):
        with pytest.raises(MissingLibraryError) as missing:
            library(name, *options)
        assert (
            str(missing.value) == f"expected {package}, found none; install it with `pip install wherewithal[{extra}]`"
        )


def test_a_library_that_misses_one_of_the_system_is_named_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "half_installed.py").write_text("raise OSError('libgomp.so.1: cannot open shared object file')\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(MissingLibraryError, match=r"half_installed, found one that cannot be imported \(libgomp"):
        library("half_installed")
