"""`python -m forecast`, and the command `forecast`."""

from __future__ import annotations

import atexit
import gc
import os
import signal
from typing import Any, NoReturn

INTERRUPTED = 130  # what shells report after Ctrl-C
# Objects made before garbage is looked for: imports make some 250,000, and they stay.
RARELY = 100_000


def main() -> None:
    """Run the command line; Ctrl-C ends it from its first import on.

    Garbage is looked for rarely, and no more at the end, where it would take half a second.
    """
    gc.set_threshold(RARELY)
    atexit.register(gc.freeze)
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:  # as it is in the background
        signal.signal(signal.SIGINT, _end)
    from forecast.cli import app

    app(prog_name="forecast")


def _end(*_: Any) -> NoReturn:
    """End at once: an exception may pass through C++, which aborts; files are written in one go."""
    cursor = "\x1b[?25h" if os.isatty(2) else ""  # what turns on a terminal had hidden it
    os.write(2, f"{cursor}\ninterrupted\n".encode())
    os._exit(INTERRUPTED)


if __name__ == "__main__":
    main()
