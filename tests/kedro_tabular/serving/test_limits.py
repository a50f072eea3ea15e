"""The limits of bodies apply before they are decoded, and decoding does not hold up other requests."""

import io
import json
import resource
import subprocess
import sys
import threading
import time

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from kedro_tabular.contract.contract import Contract
from kedro_tabular.serving.errors import RequestError
from kedro_tabular.serving.invocations import parse_invocation
from kedro_tabular.serving.parquet_pages import decoded_size, read_row_groups
from kedro_tabular.serving.parsing import parse_records

from ...conftest import make_contract
from .conftest import records, settings_of
from .test_requests import error_of

CONTRACT = Contract.from_parameters(make_contract())
PARQUET = "application/vnd.apache.parquet"
LIMITS = {"rows": 100, "columns": 20, "cells": 1000, "decoded_mb": 1}


def parse(tmp_path, body, content_type="application/json", **limits):
    return parse_invocation(body, content_type, CONTRACT, settings_of(tmp_path, limits=LIMITS | limits))


def to_parquet(table, **options):
    file = io.BytesIO()
    pq.write_table(table, file, **options)
    return file.getvalue()


def repeated(n_rows, values):
    """Columns with the same few values in all rows, of which a file stores each once."""
    indices = pa.array(np.zeros(n_rows, dtype=np.int32))
    return pa.table({name: pa.DictionaryArray.from_arrays(indices, values) for name in CONTRACT.columns})


def peak_mb():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


@pytest.mark.parametrize("kind", ["dictionary", "text", "bytes", "fixed"])
def test_a_small_parquet_file_that_decodes_to_gigabytes_is_refused_in_little_memory(service, kind):
    value = b"x" * 2_000_000
    values = pa.array([value.decode()]) if kind in ("dictionary", "text") else pa.array([value])
    if kind == "fixed":
        values = values.cast(pa.binary(len(value)))
    table = repeated(400, values)
    body = to_parquet(table, compression="zstd", store_schema=kind == "dictionary")  # else it is read as plain
    before = peak_mb()
    assert len(body) < 10_000
    response = service.server.post("/invocations", data=body, headers={"content-type": PARQUET})
    assert error_of(response, 413)["code"] == "too_large"
    assert peak_mb() - before < 150


def test_the_footer_of_a_parquet_file_is_not_believed(service):
    table = repeated(2, pa.array(["x" * 60_000_000]))
    body = to_parquet(table.select(["colour"]), compression="zstd")
    size = pq.read_metadata(io.BytesIO(body)).row_group(0).column(0).total_uncompressed_size
    honest = bytes(2 * size >> shift & 0x7F | 0x80 * (shift < 21) for shift in range(0, 28, 7))  # as Thrift writes it
    assert body.count(honest) == 2
    body = body.replace(honest, b"\x82\x80\x80\x00")
    assert pq.read_metadata(io.BytesIO(body)).row_group(0).column(0).total_uncompressed_size == 1
    assert decoded_size(body, read_row_groups(body)[0].columns[0], 1e9) > 60_000_000
    response = service.server.post("/invocations", data=body, headers={"content-type": PARQUET})
    assert error_of(response, 413)["code"] == "too_large"


def test_texts_encoded_by_their_differences_are_refused_whose_size_is_not_known(service):
    table = pa.table({"colour": ["x" * 1_000_000] * 400})
    body = to_parquet(table, compression="zstd", use_dictionary=False, column_encoding={"colour": "DELTA_BYTE_ARRAY"})
    assert len(body) < 100_000
    before = peak_mb()
    response = service.server.post("/invocations", data=body, headers={"content-type": PARQUET})
    assert "not valid application/vnd.apache.parquet" in error_of(response, 400)["message"]
    assert peak_mb() - before < 150


@pytest.mark.parametrize(
    "options", [{}, {"data_page_version": "2.0"}, {"use_dictionary": False}, {"data_page_size": 1}]
)
@pytest.mark.parametrize("compression", ["none", "snappy", "zstd"])
def test_parquet_files_of_all_kinds_are_read(tmp_path, options, compression):
    rows = pa.Table.from_pandas(pd.DataFrame(records(90)))
    parsed = parse(tmp_path, to_parquet(rows, compression=compression, **options), PARQUET).rows
    assert {name: len(values) for name, values in parsed.columns.items()} == dict.fromkeys(CONTRACT.columns, 90)


def test_text_that_many_rows_share_is_decoded_within_the_limit(tmp_path):
    body = to_parquet(repeated(100, pa.array(["x" * 1000])), compression="zstd")
    rows = parse(tmp_path, body, PARQUET).rows
    assert rows.n_rows == 100
    assert all(rows.columns[name][0] == "x" * 1000 for name in CONTRACT.columns)
    with pytest.raises(RequestError, match="the decoded body is too large"):
        parse(tmp_path, body, PARQUET, decoded_mb=0.4)


def test_records_with_many_distinct_keys_are_parsed_in_linear_time(tmp_path):
    rows = [{f"a{number}": 1, f"b{number}": 1, "size": 3.0} for number in range(4000)]
    body = json.dumps({"dataframe_records": rows}).encode()
    started = time.perf_counter()
    parsed = parse(tmp_path, body, rows=10_000, columns=10_000, cells=100_000)
    assert time.perf_counter() - started < 5  # it took minutes
    assert set(parsed.rows.columns) == {"size"}
    assert len(parsed.fields) == 8001
    with pytest.raises(RequestError, match="more than 20 columns"):
        parse(tmp_path, body, rows=10_000, cells=100_000)


def wide(n_rows, n_columns, names=None):
    return pd.DataFrame(np.ones((n_rows, n_columns), dtype=int), columns=names or [f"c{i}" for i in range(n_columns)])


def json_of(orient, table):
    split = json.loads(table.to_json(orient="split", index=False))
    bodies = {
        "dataframe_split": lambda: split,
        "dataframe_records": lambda: table.to_dict(orient="records"),
        "instances": lambda: table.to_dict(orient="records"),
        "inputs": lambda: {name: values.tolist() for name, values in table.items()},
    }
    return json.dumps({orient: bodies[orient]()}).encode()


FORMATS = ["dataframe_split", "dataframe_records", "instances", "inputs", "csv", "parquet"]


@pytest.mark.parametrize("body_format", FORMATS)
@pytest.mark.parametrize(
    ("shape", "code"),
    [((101, 2), "too_many_rows"), ((2, 21), "too_many_columns"), ((90, 20), "too_many_cells"), ((100, 9), None)],
)
def test_rows_columns_and_cells_are_limited_in_all_formats(tmp_path, body_format, shape, code):
    names = [*CONTRACT.columns, *(f"c{i}" for i in range(shape[1]))][: shape[1]]
    table, content_type = wide(*shape, names), "application/json"
    if body_format == "csv":
        body, content_type = table.to_csv(index=False).encode(), "text/csv"
    elif body_format == "parquet":
        body, content_type = table.to_parquet(), PARQUET
    else:
        body = json_of(body_format, table)
    if body_format == "parquet" and code == "too_many_cells":
        code = None  # most columns are not decoded
    if code is None:
        assert parse(tmp_path, body, content_type).rows.n_rows == shape[0]
        return
    with pytest.raises(RequestError) as refused:
        parse(tmp_path, body, content_type)
    assert (refused.value.status, refused.value.code) == (413, code)


@pytest.mark.parametrize(
    "body",
    [
        b'{"dataframe_records": [' + b"{}," * 5000 + b"{}]}",
        b'{"dataframe_records": [{"size": ' + b"[[]," * 1000 + b"[]" + b"]" * 1000 + b"}]}",
        b'{"dataframe_split": {"columns": ["' + b'a","' * 2000 + b'"], "data": []}}',
        b'{"dataframe_records": [{"size": "' + b'\\\\", "a": "' * 2000 + b'"}]}',
    ],
)
def test_json_of_too_many_values_is_refused_before_it_is_parsed(tmp_path, body):
    with pytest.raises(RequestError, match="more than 1000 cells"):
        parse(tmp_path, body)


def test_texts_of_json_may_hold_any_number_of_commas_and_brackets(tmp_path):
    text = '\\", [{' * 1000 + "\\\\"
    body = json.dumps({"dataframe_records": [{"town": text, "colour": '"', "when": "\\"}]}).encode()
    assert parse(tmp_path, body).rows.columns["town"][0] == text


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"a," * 100_000 + b"a\n1\n", "too_many_columns"),
        (b"a\n" + b"1," * 100_000 + b"1\n", "too_many_columns"),
        (b'"a\n"' + b",a" * 100_000 + b"\n1\n", "too_many_columns"),
        (b"a,b\n" + b"1,2,3,4\n", "invalid_body"),
        (b",".join([b"c%d" % i for i in range(20)]) + b"\n" + b"1\n" * 90, "too_many_cells"),
    ],
)
def test_a_csv_is_refused_before_it_is_decoded(tmp_path, body, code):
    with pytest.raises(RequestError) as refused:
        parse(tmp_path, body, "text/csv")
    assert refused.value.code == code


def test_a_parquet_file_of_too_many_row_groups_or_of_nested_columns_is_refused(tmp_path):
    rows = pa.Table.from_pandas(pd.DataFrame(records(90)))
    assert parse(tmp_path, to_parquet(rows, row_group_size=10), PARQUET).rows.n_rows == 90
    with pytest.raises(RequestError, match="more than 1000 row_groups"):
        parse(tmp_path, to_parquet(pa.table({"size": range(1001)}), row_group_size=1), PARQUET, rows=2000)
    for nested in (pa.array([[1]] * 90), pa.array([{"a": 1}] * 90)):
        table = rows.set_column(rows.schema.get_field_index("size"), "size", nested)
        with pytest.raises(RequestError, match="the column size is nested"):
            parse(tmp_path, to_parquet(table), PARQUET)


def test_records_are_limited_too(tmp_path):
    limits = settings_of(tmp_path, limits=LIMITS).limits
    assert parse_records(json.dumps({"records": [{"a": 1}] * 100}).encode(), "records", limits)[1] == ["a"]
    for rows, what in (([{}] * 101, "rows"), ([{f"c{i}": 1} for i in range(21)], "columns")):
        with pytest.raises(RequestError, match=f"more than .* {what}"):
            parse_records(json.dumps({"records": rows}).encode(), "records", limits)


def test_outcomes_are_limited_too(service):
    outcomes = {"outcomes": [{"id": str(number), "outcome": 1} for number in range(501)]}
    assert error_of(service.server.post("/outcomes", outcomes), 413)["code"] == "too_many_rows"


def test_bodies_that_take_long_to_decode_do_not_hold_up_other_requests(service):
    table = pd.DataFrame(records(100)).join(wide(100, 150))
    body, headers = table.to_csv(index=False).encode(), {"content-type": "text/csv"}
    assert len(body) < 60_000
    clients = [
        threading.Thread(target=lambda: service.server.post("/invocations", data=body, headers=headers))
        for _ in range(12)
    ]
    started, slowest = time.perf_counter(), 0.0
    for client in clients:
        client.start()
    while any(client.is_alive() for client in clients):
        sent = time.perf_counter()
        assert service.server.get("/health").status_code == 200
        slowest = max(slowest, time.perf_counter() - sent)
    assert slowest < (time.perf_counter() - started) / 3


PARSE_CHANGED_FOOTERS = """
import json, sys
from kedro_tabular.contract.contract import Contract
from kedro_tabular.serving import ServingSettings
from kedro_tabular.serving.errors import RequestError
from kedro_tabular.serving.invocations import parse_invocation

contract = Contract.from_parameters(json.loads(sys.argv[1]))
settings = ServingSettings.read("serving", json.loads(sys.argv[2]))
body = sys.stdin.buffer.read()
length = int.from_bytes(body[-8:-4], "little")
for position in range(len(body) - 8 - length, len(body) - 8):
    for value in (0, 0x29):
        changed = body[:position] + bytes([value]) + body[position + 1 :]
        try:
            parse_invocation(changed, "application/vnd.apache.parquet", contract, settings)
        except RequestError:
            pass
print("alive")
"""


def test_a_footer_that_is_not_valid_does_not_end_the_process(tmp_path):
    body = to_parquet(pa.table({"colour": ["red"] * 20, "size": [1.0] * 20}))
    arguments = [json.dumps(make_contract()), settings_of(tmp_path).model_dump_json()]
    command = [sys.executable, "-c", PARSE_CHANGED_FOOTERS, *arguments]
    completed = subprocess.run(command, input=body, capture_output=True, timeout=300, check=False)
    assert completed.stdout == b"alive\n", completed.stderr[-500:].decode()
