"""What pytest leaves out: modules whose library, an optional one, is not installed."""

from __future__ import annotations

from importlib.util import find_spec

collect_ignore = [] if find_spec("sktime") else ["forecast/adapters/sktime.py"]
