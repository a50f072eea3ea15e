"""The sample is known to its own files only, and what is kept of it belongs to the code at hand."""

import re

from kedro_tabular.lineage import remotes

from ..conftest import ROOT


def test_only_the_ingestion_knows_what_the_sample_is_about():
    words = re.compile(r"flight|weather|airport|tailnum|carrier", re.IGNORECASE)
    sources = (ROOT / "src" / "project").rglob("*.py")
    others = [path for path in sources if "ingestion" not in path.parts]
    others += [path for path in (ROOT / "tests").rglob("*.py") if not {"sample", "template"} & {*path.parts}]
    assert not [path.name for path in others if words.search(path.read_text())]


def test_raw_files_come_from_the_remote_of_the_sample():
    path = "data/01_raw/flights.parquet"
    assert remotes.remote_name(path, ROOT) == "sample"
    address = remotes.remote_uri(path, "abcdef", ROOT)
    assert address == (ROOT / ".dvc/sample/files/md5/ab/cdef").as_uri()
