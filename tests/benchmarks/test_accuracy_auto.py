"""The sets are loaded when they are scored, not when the script is read."""

from __future__ import annotations

import sys

import pytest

import forecast


def test_an_import_loads_no_set(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(name: str) -> None:
        raise AssertionError(f"{name} was loaded")

    monkeypatch.setattr(forecast, "load_dataset", fail)
    monkeypatch.delitem(sys.modules, "accuracy_auto", raising=False)
    import accuracy_auto

    with pytest.raises(AssertionError, match="was loaded"):
        accuracy_auto.single()
