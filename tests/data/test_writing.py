"""A file is there as a whole, old or new, with the rights it had; nothing else is left."""

from __future__ import annotations

import os
import resource
import signal
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import forecast
from forecast.data.files import write_file
from forecast.data.writing import replace_file

SALES = pd.Series(range(30), pd.date_range("2024-01-01", periods=30), name="sales", dtype=float)
TABLE = SALES.rename_axis("ds").reset_index()
WRITE = {
    "bytes": lambda path: replace_file(path, b"new"),
    "model": lambda path: forecast.NaiveForecaster().fit(SALES).save(path),
    "csv": lambda path: write_file(TABLE, path),
    "parquet": lambda path: write_file(TABLE, path.with_suffix(".parquet")),
}
each_output = pytest.mark.parametrize("write", WRITE.values(), ids=WRITE)


def rights(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@each_output
def test_a_replaced_file_hands_on_its_mode(write: Any, tmp_path: Path) -> None:
    write(tmp_path / "a")
    (path,) = tmp_path.iterdir()
    content = path.read_bytes()
    path.write_bytes(b"old")
    path.chmod(0o640)
    write(tmp_path / "a")
    assert path.read_bytes() == content and rights(path) == 0o640


def test_a_new_file_has_the_mode_of_any(tmp_path: Path) -> None:
    replace_file(tmp_path / "a", b"new")
    (tmp_path / "b").write_bytes(b"")
    assert rights(tmp_path / "a") == rights(tmp_path / "b")


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="gives a file away")
def test_a_replaced_file_keeps_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")
    os.chown(path, 12345, 54321)
    replace_file(path, b"new")
    assert (path.stat().st_uid, path.stat().st_gid) == (12345, 54321)


def test_links_are_followed(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(b"old")
    (tmp_path / "link").symlink_to("real")
    replace_file(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "real").read_bytes() == b"new"
    (tmp_path / "dangling").symlink_to("later")
    replace_file(tmp_path / "dangling", b"new")
    assert (tmp_path / "later").read_bytes() == b"new"


def test_a_long_name_is_no_hindrance(tmp_path: Path) -> None:
    replace_file(tmp_path / ("a" * 255), b"new")
    with pytest.raises(OSError, match="cannot be written: File name too long"):
        replace_file(tmp_path / ("a" * 256), b"new")
    assert len(list(tmp_path.iterdir())) == 1


def test_what_is_no_file_is_written_to(tmp_path: Path) -> None:
    replace_file("/dev/null", b"new")
    assert Path("/dev/null").is_char_device()
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    replace_file(tmp_path / "pipe", b"new")
    assert os.read(reader, 9) == b"new"
    os.close(reader)


@each_output
def test_what_cannot_be_written_is_named(write: Any, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"needs the folder '.*/nodir', which is not there"):
        write(tmp_path / "nodir" / "x")
    (tmp_path / "folder.parquet").mkdir()
    with pytest.raises(IsADirectoryError, match="folder.parquet' must be a file, got a folder"):
        write(tmp_path / "folder.parquet")


def test_a_read_only_file_is_kept(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"old")
    (tmp_path / "a").chmod(0o444)
    with pytest.raises(PermissionError, match="got one that is read-only. Choose another"):
        replace_file(tmp_path / "a", b"new")
    assert (tmp_path / "a").read_bytes() == b"old"


@pytest.mark.parametrize("nameless", [True, False])
def test_a_failure_leaves_the_old_file_alone(
    nameless: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not nameless:
        monkeypatch.delattr(os, "O_TMPFILE", raising=False)
    path = tmp_path / "a"
    path.write_bytes(b"old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(OSError, match="'.*a' cannot be written: File too large. What was"):
            replace_file(path, bytes(2000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]
    replace_file(path, b"new")
    assert path.read_bytes() == b"new" and list(tmp_path.iterdir()) == [path]


def test_it_is_on_the_disk_before_it_has_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    sync, replace = os.fsync, Path.replace
    monkeypatch.setattr(os, "fsync", lambda *given: (calls.append("sync"), sync(*given)))
    monkeypatch.setattr(Path, "replace", lambda *given: (calls.append("name"), replace(*given)))
    replace_file(tmp_path / "a", b"new")
    assert calls == ["sync", "name"]


@pytest.mark.skipif(not hasattr(os, "O_TMPFILE"), reason="Linux makes files without a name")
def test_a_killed_process_leaves_no_part(tmp_path: Path) -> None:
    code = (
        "import os, sys, signal; from forecast.data.writing import replace_file\n"
        "os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)\n"
        "replace_file(sys.argv[1], bytes(10000))"
    )
    path = tmp_path / "a"
    path.write_bytes(b"old")
    done = subprocess.run([sys.executable, "-c", code, str(path)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]
