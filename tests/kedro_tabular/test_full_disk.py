"""A disk that is full, a real one of a megabyte: files stay whole, and a line says what is full."""

import errno
import json
import sqlite3
import sys

import click
import pandas as pd
import pytest
from kedro.io import AbstractDataset, DatasetError
from kedro_tabular.errors import reports_user_errors
from kedro_tabular.files import check_room, write_atomically
from kedro_tabular.hooks.local_files import WholeFiles
from kedro_tabular.lineage.git import run_git

from .disks import fill, free, make_room, small_disk

BIG = 400_000  # bytes, of a disk of a million


@pytest.fixture
def disk(tmp_path):
    with small_disk(tmp_path / "disk", 1_000_000) as folder:
        yield folder


@pytest.fixture(autouse=True)
def whole_files():
    WholeFiles().after_context_created()  # as in each session


def make(kind: str, folder) -> tuple[AbstractDataset, object, object]:
    """A dataset of a kind, small data and large data for it."""
    config = {"type": kind, "filepath": str(folder / f"file.{kind}")}
    dataset = AbstractDataset.from_config(kind, config)
    if kind == "pandas.ParquetDataset":
        return dataset, pd.DataFrame({"x": [1]}), pd.DataFrame({"x": [f"{i:040}" for i in range(100_000)]})
    if kind == "json.JSONDataset":
        return dataset, {"x": 1}, {"x": ["y" * 100] * (BIG // 100)}
    return dataset, "small", "y" * BIG


def message(command, *arguments) -> str:
    """What a user is told."""
    with pytest.raises(click.ClickException) as raised:
        reports_user_errors(command)(*arguments)
    return raised.value.message


@pytest.mark.parametrize("kind", ["pandas.ParquetDataset", "json.JSONDataset", "text.TextDataset"])
@pytest.mark.parametrize("left", [0, 8192, 200_000])
def test_a_file_that_does_not_fit_leaves_the_earlier_one(disk, kind, left):
    dataset, small, large = make(kind, disk)
    dataset.save(small)
    before = {path.name: path.read_bytes() for path in disk.iterdir()}
    fill(disk, left)
    told = message(dataset.save, large)
    assert told.startswith(f"the disk is full: {disk}/file.{kind} could not be written")
    assert "\n" not in told
    make_room(disk)
    assert {path.name: path.read_bytes() for path in disk.iterdir()} == before
    dataset.save(large)
    assert len((disk / f"file.{kind}").read_bytes()) > len(before[f"file.{kind}"])


def test_what_can_not_be_serialized_leaves_the_earlier_file(tmp_path):
    dataset, small, _ = make("json.JSONDataset", tmp_path)
    dataset.save(small)
    with pytest.raises(DatasetError, match="not JSON serializable"):
        dataset.save({"x": 1, "y": object()})
    assert dataset.load() == small
    assert len(list(tmp_path.iterdir())) == 1


def test_a_save_while_an_error_is_handled_and_one_through_a_link_are_kept(tmp_path):
    dataset, small, _ = make("text.TextDataset", tmp_path)
    (tmp_path / "elsewhere").write_text("earlier")
    link = tmp_path / "file.text.TextDataset"
    link.symlink_to(tmp_path / "elsewhere")
    try:
        raise ValueError
    except ValueError:
        dataset.save(small)
    assert link.is_symlink()
    assert (tmp_path / "elsewhere").read_text() == small


def test_a_state_file_stays_and_the_message_names_it_and_the_disk(disk):
    state = disk / "state.json"
    write_atomically(state, "{}")
    fill(disk, 0)
    told = message(write_atomically, state, json.dumps(["x" * 100] * 1000))
    assert told.startswith(f"the disk is full: {state} could not be written; there is no room left in ")
    assert str(disk) in told.partition("no room left in ")[2].split(", ")  # those of other tests may be full, too
    assert state.read_text() == "{}"
    assert free(disk) == 0  # nothing was left over
    with pytest.raises(OSError) as raised:
        check_room(disk, 1)
    assert raised.value.errno == errno.ENOSPC


def test_a_full_database_is_a_full_disk(disk):
    def insert():
        with sqlite3.connect(disk / "small.db") as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS t (x)")
            connection.execute("INSERT INTO t VALUES (zeroblob(500000))")

    fill(disk, 100_000)
    told = message(insert)
    assert told.startswith("the disk is full: there is no room left in ")
    assert str(disk) in told


def test_other_errors_keep_their_traceback():
    def fail():
        raise OSError(errno.EACCES, "no access")

    with pytest.raises(OSError, match="no access"):
        reports_user_errors(fail)()
    assert sys.exception() is None


def test_what_git_has_no_room_for_is_told(disk):
    run_git(disk, "init", "--quiet", "--template=")
    (disk / "file").write_text("content")
    fill(disk, 0)
    assert message(run_git, disk, "add", "file").startswith("the disk is full: ")
    make_room(disk)
    run_git(disk, "add", "file")
