"""Old addresses work for one release, say where to go, and nothing else is answered."""

from __future__ import annotations

import importlib
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from erresearch.deprecations import addresses

DOCUMENTED = (Path(__file__).parent / "expected" / "names_0_1.txt").read_text(encoding="utf-8").split()
MODULES, NAMES, REMOVED = (addresses(kind) for kind in ("modules", "names", "removed"))


def at(address: str) -> object:
    module, _, name = address.rpartition(".")
    return getattr(importlib.import_module(module), name)


def test_every_name_that_the_reference_of_0_1_documented_is_reached():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        kept = [address for address in DOCUMENTED if address not in REMOVED]
        assert all(at(address) is not None for address in kept)


@pytest.mark.parametrize("old", REMOVED)
def test_a_name_that_was_removed_says_what_does_its_work(old: str):
    assert old in DOCUMENTED
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of a module that has moved as well
        with pytest.raises(AttributeError, match=rf"^{old} was removed in 0\.2\.0: {REMOVED[old]}$"):
            at(old)


@pytest.mark.parametrize(("old", "new"), MODULES.items())
def test_a_module_under_its_old_address_warns_and_forwards(old: str, new: str):
    code = f"import warnings; warnings.simplefilter('error'); import {old}"
    with pytest.MonkeyPatch.context() as patched:
        for name in [name for name in sys.modules if name == old]:
            patched.delitem(sys.modules, name)
        with pytest.warns(DeprecationWarning, match=f"^{old} is {new} from now on$") as said:
            exec(code.partition("; ")[2].partition("; ")[2], {})
        assert said[0].filename == "<string>"  # the line that imports, not the machinery
        moved = importlib.import_module(old)
        for name in importlib.import_module(new).__all__:
            assert getattr(moved, name) is getattr(importlib.import_module(new), name)
        with pytest.raises(AttributeError, match=r"has no attribute 'nothing'"):
            moved.nothing  # noqa: B018


@pytest.mark.parametrize(("old", "new"), NAMES.items())
def test_a_single_name_under_its_old_address_warns_and_forwards(old: str, new: str):
    if old.rpartition(".")[0] in MODULES:
        pytest.skip("the import of its module warns")
    with pytest.warns(DeprecationWarning, match=f"^{old} is {new} from now on$"):
        assert at(old) is at(new)


def test_a_name_that_never_was_is_refused():
    with pytest.raises(AttributeError, match=r"no attribute 'Acount'; dir\(erresearch\.panel\) lists"):
        at("erresearch.panel.Acount")
    with pytest.raises(ModuleNotFoundError, match=r"erresearch\.auditting"):
        importlib.import_module("erresearch.auditting")


def test_nothing_inside_uses_an_old_address():
    code = "import erresearch as er; [getattr(er, name) for name in er.__all__]"
    done = subprocess.run(
        [sys.executable, "-W", "error::DeprecationWarning:erresearch", "-c", code],
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
