"""Files are replaced as a whole: what interrupts the writing leaves the old one."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from os import PathLike
from pathlib import Path

from forecast._checks import printable


def replace_file(path: str | PathLike[str], content: bytes) -> None:
    """Write a file in one piece; what was there stays until all of it is on the disk.

    Links are followed. A file that is replaced hands on its mode and, if the system allows it, its
    owner; a new one has those of any new file. What is no file, such as a pipe, is written to.

    Parameters
    ----------
    path
        The file.
    content
        All of it.

    Raises
    ------
    OSError
        If it cannot be written: there is no such folder, it is a folder, may not be written, or
        the disk is full. The kind of the error tells; the message names the path.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     replace_file(Path(folder) / "a.txt", b"new")
    ...     (Path(folder) / "a.txt").read_text()
    'new'
    """
    named, target = printable(repr(str(path))), Path(os.path.realpath(path))
    _check(target, named)
    try:
        if os.path.exists(target) and not os.path.isfile(target):
            target.write_bytes(content)
        else:
            with _draft(target, content) as draft:
                draft.replace(target)
    except OSError as error:
        raise type(error)(
            f"{named} cannot be written: {error.strerror or error}. What was there before is "
            "unchanged. Make room, or choose another place."
        ) from error


def _check(target: Path, named: str) -> None:
    # os.path says no where a Path raises: of a name that is too long
    if not os.path.isdir(target.parent):
        raise FileNotFoundError(
            f"{named} needs the folder {str(target.parent)!r}, which is not there. Make it first."
        )
    if os.path.isdir(target):
        raise IsADirectoryError(f"{named} must be a file, got a folder. Add a name to it.")
    if os.path.exists(target) and not target.stat().st_mode & 0o222:
        raise PermissionError(
            f"{named} must be a file that may be written, got one that is read-only. Choose "
            "another name, or allow it: chmod u+w."
        )


@contextmanager
def _draft(target: Path, content: bytes) -> Iterator[Path]:
    """Yield a file beside the target that holds the content; afterwards it is gone."""
    # A name of its own: one made from the target's could be too long.
    draft = target.with_name(f".{secrets.token_hex(8)}.part")
    mode = 0o600 if os.path.exists(target) else 0o666
    try:
        descriptor, has_name = _open(draft, mode)
        with open(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)
            if not has_name:
                _give_name(descriptor, draft)
        if os.path.exists(target):
            _hand_on(target, draft)
        yield draft
    finally:
        draft.unlink(missing_ok=True)


def _open(draft: Path, mode: int) -> tuple[int, bool]:
    """Open a new file: without a name where the system can, so a killed process leaves none."""
    if hasattr(os, "O_TMPFILE"):
        with suppress(OSError):  # not every file system can
            return os.open(draft.parent, os.O_TMPFILE | os.O_WRONLY, mode), False
    return os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode), True


def _give_name(descriptor: int, draft: Path) -> None:
    folder = os.open("/proc/self/fd", os.O_RDONLY)
    try:  # only with a folder does Python follow the link that stands for the open file
        os.link(str(descriptor), draft, src_dir_fd=folder, follow_symlinks=True)
    finally:
        os.close(folder)


def _hand_on(target: Path, draft: Path) -> None:
    old = target.stat()
    with suppress(OSError):  # only the superuser may give files away
        os.chown(draft, old.st_uid, old.st_gid)
    shutil.copymode(target, draft)
