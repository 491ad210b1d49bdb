"""Calls on the disk: saved, loaded, killed in between, on a full disk, damaged, of others."""

from __future__ import annotations

import asyncio
import errno
import json
import shutil
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from live_calls import desk

from piopiy_lab import Call, Caller, simulate_many
from piopiy_lab.call.packed import pack
from piopiy_lab.call.packed_file import read_packed, write_packed
from piopiy_lab.errors import SavedCallError
from piopiy_lab.experiments import kept, saving
from piopiy_lab.experiments.calls import Calls
from piopiy_lab.experiments.figures.rows import CallRow
from piopiy_lab.experiments.kept import Kept

SHORT = Caller().hears_greeting()
KEY = "sk-proj-" + "Z9xYw8Vu7Ts6" * 3


async def broken(call_id):
    if call_id == "a/b".replace("/", "-") + "-2":
        raise ValueError(f"no table; api_key={KEY}")
    await desk(call_id)


@pytest.fixture(scope="module")
def calls():
    callers = {"a-b": SHORT, "ünï çödé … " + "x" * 200: SHORT}
    return asyncio.run(simulate_many(broken, callers, repeat=2, executor=0))


@pytest.fixture
def batch(calls, tmp_path):
    return calls.save(tmp_path / "batch")


def same(one, other):
    assert [e.to_json() for e in one.events] == [e.to_json() for e in other.events]
    np.testing.assert_array_equal(one.recording, other.recording)
    np.testing.assert_array_equal(one.heard.samples, other.heard.samples)


def test_what_is_loaded_is_what_was_saved(calls, batch):
    loaded = Calls.load(batch)
    assert loaded.rows == calls.rows
    assert [row.cpu_secs for row in loaded] == [row.cpu_secs for row in calls]
    assert str(loaded) == str(calls)
    same(loaded["a-b", 1], calls["a-b", 1])
    files = sorted(path.name for path in (batch / "calls").iterdir())
    assert files[0] == "00000-a-b-1.zip"
    assert len(files) == 4
    same(Call.load(batch / "calls" / files[0]), calls["a-b", 1])
    assert loaded.save(batch.with_name("again")) == batch.with_name("again")
    again = [path.read_bytes() for path in sorted(batch.with_name("again").rglob("*.*"))]
    assert again == [path.read_bytes() for path in sorted(batch.rglob("*.*"))]


def test_nothing_in_it_is_pickled_and_no_key_is_written(batch, tmp_path):
    text = (batch / "calls.json").read_text()
    assert "no table" in text
    assert KEY not in text
    call = asyncio.run(simulate_many(desk, SHORT, executor=0))["caller-1", 1]
    call.meta["metadata"] = {"api_key": KEY, "note": f"Bearer {KEY}"}
    write_packed(pack(call), tmp_path / "one.zip")
    with zipfile.ZipFile(tmp_path / "one.zip") as archive:
        assert all(KEY.encode() not in archive.read(name) for name in archive.namelist())
        assert archive.namelist() == [
            "packed.json", "events.jsonl", "meta.json", "call.flac", "caller.flac"
        ]  # fmt: skip


def test_what_is_there_is_kept(calls, batch):
    with pytest.raises(SavedCallError, match="overwrite=True"):
        calls.save(batch)
    (batch / "notes.txt").write_text("mine")
    loaded = Calls.load(batch)
    calls["a-b"].save(batch, overwrite=True)
    assert len(Calls.load(batch)) == 2
    assert (batch / "notes.txt").read_text() == "mine"
    assert [path.name for path in batch.parent.iterdir()] == ["batch"]
    assert loaded["a-b", 1].call_id == "a-b-1", "it is there under the same name"
    with pytest.raises(SavedCallError, match=r"00002.*zip can't be read"):
        loaded.call(loaded[2])
    with pytest.raises(SavedCallError, match=r"00002.*zip is gone"):
        loaded.save(batch.with_name("more"))
    assert [path.name for path in batch.parent.iterdir()] == ["batch"]
    other = batch.with_name("other")
    other.mkdir()
    (other / "thesis.txt").write_text("mine")
    with pytest.raises(SavedCallError, match="holds something else"):
        calls.save(other, overwrite=True)


def test_calls_that_are_saved_over_themselves_are_still_there(batch):
    loaded = Calls.load(batch)
    loaded.save(batch, overwrite=True)
    assert loaded["a-b", 1].call_id == "a-b-1"


def test_a_full_disk_is_said_and_nothing_is_lost(calls, batch, monkeypatch):
    before = {path: path.read_bytes() for path in batch.rglob("*.*")}
    copied = []

    def copyfile(source, target):
        if copied:
            raise OSError(errno.ENOSPC, "No space left on device", str(source), None, str(target))
        copied.append(target)
        Path(target).write_bytes(b"half")

    monkeypatch.setattr(shutil, "copyfile", copyfile)
    with pytest.raises(
        SavedCallError, match=r"disk is full: .*batch needs 1 MB.*as it was"
    ) as said:
        calls.save(batch, overwrite=True)
    assert "calls.failed.save" in str(said.value)
    assert {path: path.read_bytes() for path in batch.rglob("*.*")} == before
    copied.clear()
    with pytest.raises(SavedCallError, match="nothing is left of it"):
        calls.save(batch.with_name("fresh"))
    assert [path.name for path in batch.parent.iterdir()] == ["batch"]


def _ran(*command):
    return subprocess.run(command, stderr=subprocess.DEVNULL, check=False).returncode


def test_a_really_full_disk(tmp_path):
    """A file system of 256 kB, where this machine lets us have one."""
    small = tmp_path / "small"
    small.mkdir()
    if _ran("mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", small):
        pytest.skip("no tmpfs can be mounted here")
    try:
        calls = asyncio.run(simulate_many(desk, SHORT, repeat=3, executor=0))
        with pytest.raises(SavedCallError, match="disk is full"):
            calls.save(small / "batch")
        assert list(small.iterdir()) == []
        only_rows = Calls(calls.rows, Kept())
        assert len(Calls.load(only_rows.save(small / "rows"))) == 3
    finally:
        _ran("umount", small)


def test_kill_9_in_the_middle_of_a_save_leaves_what_was_there(batch):
    code = (
        "import os, shutil, signal, sys\n"
        "from piopiy_lab.experiments.calls import Calls\n"
        "calls, copied = Calls.load(sys.argv[1]), []\n"
        "def copyfile(source, target):\n"
        "    copied.append(target)\n"
        "    if len(copied) == 2: os.kill(os.getpid(), signal.SIGKILL)\n"
        "    open(target, 'wb').write(b'half')\n"
        "shutil.copyfile = copyfile\n"
        "calls.save(sys.argv[1], overwrite=True)\n"
    )
    command = [sys.executable, "-c", code, str(batch)]
    before = {path: path.read_bytes() for path in batch.rglob("*.*")}
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    assert {path: path.read_bytes() for path in batch.rglob("*.*")} == before
    assert len(Calls.load(batch)) == 4


def test_a_killed_save_leaves_what_was_there(calls, batch, monkeypatch):
    """Killed while it copies; and in the one moment between two renames."""

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(saving, "_write_rows", killed)
        with pytest.raises(KeyboardInterrupt):
            calls["a-b"].save(batch, overwrite=True)
    assert len(Calls.load(batch)) == 4
    batch.rename(batch.with_name(".batch.old-1-abc"))
    with pytest.raises(SavedCallError, match=r"\.batch\.old-1-abc is what was there"):
        Calls.load(batch)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: t[: len(t) // 2], "calls.json is damaged"),
        (lambda t: "[]", "no list of calls"),
        (lambda t: t.replace('"version": 1', '"version": 7'), "has version 7.*reads version 1"),
        (lambda t: t.replace('"rows"', '"sorw"'), "no list 'rows'"),
        (lambda t: t.replace('"run": 2', '"run": "two"'), "row 2 is damaged: its 'run' is 'two'"),
        (lambda t: t.replace('"index": 1', '"index": 0'), "row 2 is damaged: .*another row"),
        (lambda t: t.replace('"caller": "a-b"', '"name": 1'), "row 1 is damaged: .*no 'caller'"),
        (lambda t: t.replace('"file": "calls/', '"file": "../'), "row 1 .*isn't in the folder"),
        (lambda t: t.replace('"kind": "raised"', '"kind": "odd"'), "its 'kind' is 'odd'"),
    ],
)
def test_what_is_damaged_or_of_another_version_is_named(batch, change, said):
    file = batch / "calls.json"
    text = file.read_text()
    file.write_text(change(text))
    assert file.read_text() != text
    with pytest.raises(SavedCallError, match=said):
        Calls.load(batch)


def test_a_damaged_call_is_named_and_the_others_are_there(batch):
    path = batch / "calls" / "00000-a-b-1.zip"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 255
    path.write_bytes(data)
    loaded = Calls.load(batch)
    with pytest.raises(SavedCallError, match=r"00000-a-b-1\.zip is damaged"):
        loaded.call(loaded[0])
    assert loaded.call(loaded[2]).state == "ended"
    for rest in (b"", b"not a zip", bytes(data[: len(data) // 2])):
        path.write_bytes(rest)
        with pytest.raises(SavedCallError, match="is damaged"):
            read_packed(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("packed.json", json.dumps({"version": 9}))
    with pytest.raises(SavedCallError, match="version 9"):
        read_packed(path)


def test_a_folder_that_is_none_says_so(tmp_path, calls):
    with pytest.raises(SavedCallError, match="is no folder"):
        Calls.load(tmp_path / "nope")
    with pytest.raises(SavedCallError, match=r"no calls\.json"):
        Calls.load(tmp_path)
    one = calls["a-b", 1].save(tmp_path / "one")
    with pytest.raises(SavedCallError, match=r"Call\.load reads"):
        Calls.load(one)


def test_a_call_s_file_is_the_same_each_time(calls, tmp_path):
    packed = pack(calls["a-b", 1])
    for name in ("one.zip", "two.zip"):
        write_packed(packed, tmp_path / name)
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
    assert read_packed(tmp_path / "one.zip") == packed


def test_a_row_s_parameters_come_back_as_they_can_be_written(tmp_path):
    row = CallRow(0, "a", 1, params={"stop_secs": 0.2, "voice": "joe", "llm": print})
    loaded = Calls.load(Calls([row], Kept()).save(tmp_path / "swept"))
    assert dict(loaded[0].params) == {
        "stop_secs": 0.2,
        "voice": "joe",
        "llm": "<built-in function print>",
    }


def test_a_full_disk_while_they_run_loses_sound_and_no_row(monkeypatch):
    room = iter([True, False, False])

    def full(packed, path):
        if not next(room):
            raise OSError(errno.ENOSPC, "No space left on device")
        write_packed(packed, path)

    monkeypatch.setattr(kept, "write_packed", full)
    calls = asyncio.run(simulate_many(desk, SHORT, repeat=3, executor=0))
    assert [row.kept for row in calls] == [True, False, False]
    assert all(row.passed for row in calls)
    assert "2 calls were not kept" in calls.notices[0]
    assert "No space left on device" in str(calls)
    assert calls.settings["repeat"] == 3
    assert calls.settings["caller caller-1"] == "Caller().hears_greeting()"


def test_calls_that_were_saved_together_call_again(calls, tmp_path):
    loaded = Calls.load(calls.where(lambda row: row.passed).save(tmp_path / "passed"))
    again = asyncio.run(simulate_many(desk, tmp_path / "passed", executor=0))
    first, second, third = loaded
    assert [row.caller for row in again] == [first.caller, second.call_id, third.call_id]
    assert [row.heard for row in again] == [row.heard for row in loaded]
    file = tmp_path / "passed" / "calls" / "00000-a-b-1.zip"
    one = asyncio.run(simulate_many(desk, file, executor=0))
    assert [row.caller for row in one] == ["00000-a-b-1"]
