"""Bodies of hostile requests to the service, in all its formats, made of rows that it would accept."""

import gzip
import io
import json
import random
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

JSON, CSV, PARQUET = "application/json", "text/csv", "application/vnd.apache.parquet"
CONTENT_TYPES = ["", JSON, CSV, PARQUET, "text/plain", "multipart/form-data; boundary=x", "application/x-ndjson"]
CONTENT_TYPES += [
    "json",
    "text/csv; charset=latin-1",
    "application/json; charset=utf-16",
    "a/b" * 500,
    "\x80\xff",
    ";;;",
]
Row = dict[str, Any]


class Body(NamedTuple):
    """A body, its content type, and what is hostile about it."""

    kind: str
    content_type: str
    data: bytes


class RawJson(str):
    """A text that stands in JSON as it is."""


# As JSON, because Python can't write most of them.
VALUES = ["NaN", "Infinity", "-Infinity", "1e308", "1e999", "-0.0", "1e-999", "9" * 400, "9" * 5000, "-" + "9" * 30]
VALUES += [
    "9223372036854775808",
    "0.1" + "0" * 3000,
    "null",
    "true",
    "[]",
    "{}",
    "[[[[1]]]]",
    '{"a": {"b": null}}',
    '""',
]
VALUES += [r'"\u0000"', r'"\ud800"', r'"\udfff\ud800"', r'"a\u0000b"', '"\u202e\ufeff"', '"%s"' % ("x" * 9_999)]
VALUES += ['"%s"' % ("x" * 20_001), '"%s"' % ("\U0001f600" * 3000), "[" * 60 + "]" * 60, '"NA"', '"nan"', '"1e999"']
VALUES += ['"9999-12-31T23:59:59Z"', '"0000-00-00"', '"2025-03-30T02:30:00+99:99"', '"%s"' % ("9" * 5000), "-1e-320"]
VALUES += [
    json.dumps("'; DROP TABLE predictions; --"),
    json.dumps("<script>alert(1)</script>"),
    json.dumps("=cmd|' /C'!A0"),
]
IDS = [
    '"a"',
    '"%s"' % ("x" * 129),
    "1",
    "1.0",
    "1.5",
    "true",
    r'"\u0000"',
    r'"\n"',
    "9" * 200,
    "[]",
    "null",
    '"é"',
    "NaN",
]


def dump(value: Any) -> str:
    """JSON, with raw parts as they are."""
    if isinstance(value, RawJson):
        return str(value)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(str(name))}: {dump(part)}" for name, part in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(dump, value)) + "]"
    return json.dumps(value)


class Bodies:
    """Makes bodies. `large` is the size of the largest ones in bytes."""

    def __init__(self, rows: list[Row], rng: random.Random, large: int) -> None:
        self._rows, self._rng, self._large = rows, rng, large
        self._parquet = [to_parquet(table) for table in self._tables()]
        self._bombs = [
            *(self._text_bomb(size, value) for size, value in ((2000, 1_000_000), (100, 500_000), (9_000, 10_000))),
            *(self._number_bomb(n_rows) for n_rows in (9_999, 10_000, 3_000_000)),
        ]

    def good(self, path: str) -> Body:
        """A body that the service accepts."""
        rows = self._sample(self._rng.choice([1, 1, 1, 2, 5, 80]))
        if path == "/outcomes":
            return Body("good", JSON, dump({"outcomes": self._outcomes()}).encode())
        if path == "/predict":
            return Body("good", JSON, dump({"records": rows}).encode())
        return self._formatted("good", rows)

    def hostile(self, path: str) -> Body:
        """A body that is hostile in some way."""
        makers: list[Callable[[str], Body]] = [
            self._values, self._values, self._bytes, self._bytes, self._structure, self._names, self._content_type,
            self._nesting, self._parquet_bytes, self._parquet_bytes, self._parquet_types, self._ids,
        ]  # fmt: skip
        if self._rng.random() < 0.01:
            makers = [self._many, self._long, self._bomb, self._columns]
        return self._rng.choice(makers)(path)

    def large(self, path: str) -> Body:
        """A body that takes much more memory when it is parsed: many small values, within the limit of cells."""
        field = "records" if path == "/predict" else "instances"
        n_rows = self._large // 1600
        row = {f"c{number}": RawJson("1e9") for number in range(99)} | self._rows[0]
        return Body("large", JSON, dump({field: [row]}).replace("[", "[" + f"{dump(row)}," * (n_rows - 1), 1).encode())

    def many(self, path: str) -> Body:
        """A small body of the most rows, whose response is large."""
        field = "records" if path == "/predict" else "instances"
        return Body("many", JSON, b'{"%s":[%s]}' % (field.encode(), b",".join([b"{}"] * 10_000)))

    def _sample(self, n_rows: int) -> list[Row]:
        return [dict(row) for row in self._rng.choices(self._rows, k=n_rows)]

    def _outcomes(self) -> list[Row]:
        n_outcomes = self._rng.choice([1, 2, 50])
        return [{"id": f"unknown-{self._rng.randrange(10**6)}", "outcome": 1} for _ in range(n_outcomes)]

    def _formatted(self, kind: str, rows: list[Row]) -> Body:
        """The rows in one of the formats of /invocations."""
        columns = list(rows[0])
        lists = [[row.get(name) for name in columns] for row in rows]
        kinds: list[Callable[[], tuple[str, bytes]]] = [
            lambda: (JSON, dump({"dataframe_records": rows}).encode()),
            lambda: (JSON, dump({"dataframe_split": {"columns": columns, "data": lists}}).encode()),
            lambda: (JSON, dump({"instances": rows}).encode()),
            lambda: (JSON, dump({"inputs": {name: [row.get(name) for row in rows] for name in columns}}).encode()),
            lambda: (CSV, to_csv(columns, lists)),
        ]
        if kind == "good":
            kinds.append(lambda: (PARQUET, to_parquet(pa.Table.from_pylist(rows))))
        return Body(kind, *self._rng.choice(kinds)())

    def _wrap(self, path: str, kind: str, rows: list[Row]) -> Body:
        if path == "/invocations":
            return self._formatted(kind, rows)
        if path == "/outcomes":
            outcomes = [{"key": row, "outcome": next(iter(row.values()), 1)} for row in rows]
            return Body(kind, JSON, dump({"outcomes": outcomes}).encode())
        return Body(kind, JSON, dump({"records": rows}).encode())

    def _values(self, path: str) -> Body:
        rows = self._sample(self._rng.choice([1, 3, 20]))
        for _ in range(self._rng.choice([1, 1, 5])):
            row = self._rng.choice(rows)
            row[self._rng.choice(list(row))] = RawJson(self._rng.choice(VALUES))
        if path == "/outcomes" and self._rng.random() < 0.7:
            value, time = RawJson(self._rng.choice(VALUES)), RawJson(self._rng.choice(VALUES))
            outcome = {"id": RawJson(self._rng.choice(IDS)), "outcome": value, "outcome_time": time}
            return Body("values", JSON, dump({"outcomes": [outcome]}).encode())
        return self._wrap(path, "values", rows)

    def _ids(self, path: str) -> Body:
        rows = [row | {"id": RawJson(self._rng.choice(IDS))} for row in self._sample(3)]
        return self._wrap(path, "ids", rows)

    def _names(self, path: str) -> Body:
        rng = self._rng
        name = rng.choice(
            [
                " ",
                "",
                "\x00",
                "x" * 100_000,
                "columns",
                "__class__",
                "\ud800",
                "a.b",
                "{0}",
                "%s",
                *rows_names(self._rows),
            ]
        )
        rows = [row | {name + rng.choice(["", "s", " "]): 1} for row in self._sample(2)]
        return self._wrap(path, "names", rows)

    def _bytes(self, path: str) -> Body:
        good = self.good(path)
        return good._replace(kind="bytes", data=self._mutate(good.data))

    def _mutate(self, data: bytes) -> bytes:
        rng, changed = self._rng, bytearray(data)
        for _ in range(rng.choice([1, 1, 3, 10])):
            at = rng.randrange(len(changed) + 1)
            match rng.randrange(6):
                case 0:
                    del changed[at:]
                case 1:
                    changed[at:at] = rng.randbytes(rng.choice([1, 4, 50]))
                case 2:
                    changed[at : at + 1] = bytes([rng.randrange(256)])
                case 3:
                    changed[at:at] = changed[rng.randrange(len(changed) + 1) :][:200]
                case 4:
                    changed[at:at] = rng.choice(
                        [b"\x00", b"\xff\xfe", b"\xed\xa0\x80", b"\xc0\xaf", b"\xef\xbb\xbf", b'"', b"}", b"\r\n"]
                    )
                case 5:
                    del changed[at : at + rng.choice([1, 1, 10])]
        return bytes(changed)

    def _structure(self, path: str) -> Body:
        row = dump(self._sample(1)[0])
        texts = [
            "",
            "null",
            "1",
            '"records"',
            "[]",
            "{}",
            f"[{row}]",
            row,
            '{"records": null}',
            '{"records": {}}',
            '{"outcomes": 1}',
        ]
        texts += [
            f'{{"recrods": [{row}]}}',
            f'{{"records": [{row}], "explian": true}}',
            f'{{"records": [{row}], "records": 1}}',
        ]
        texts += [
            '{"records": [null]}',
            '{"records": [[]]}',
            '{"records": []}',
            '{"records": [{}]}',
            '{"records": [{}, 1]}',
            '{"outcomes": []}',
        ]
        texts += [
            '{"inputs": {}}',
            '{"inputs": []}',
            '{"inputs": [[]]}',
            '{"instances": [[1], [1, 2]]}',
            '{"dataframe_split": {}}',
        ]
        texts += [
            '{"dataframe_split": {"columns": ["a", "a"], "data": [[1, 2]]}}',
            '{"dataframe_split": {"columns": [[]], "data": []}}',
        ]
        texts += [
            '{"dataframe_split": {"columns": [], "data": [[], []]}}',
            '{"instances": 1, "inputs": 2}',
            f'{{"instances": [{row}], "params": 1}}',
        ]
        texts += [
            f'{{"instances": [{row}], "params": {{"explain": "yes"}}}}',
            "NaN",
            "-",
            "{" * 30,
            '{"a":1}{"b":2}',
            "\ufeff{}",
            "a,b\n1",
            ",\n,,\n",
        ]
        texts += [
            "\n\n",
            "a\n" + '"',
            '"a\nb",c\n1,2',
            "," * 3000,
            "a,a\n1,2",
            "\x00,\x00\n\x00",
            "a" * 200_000 + "\n1",
            "PAR1",
            "PAR1PAR1",
        ]
        return Body("structure", self._rng.choice([JSON, JSON, JSON, CSV, PARQUET]), self._rng.choice(texts).encode())

    def _content_type(self, path: str) -> Body:
        good = self.good(path)
        data = self._rng.choice([good.data, gzip.compress(good.data), good.data.decode("latin-1").encode("utf-16")])
        return Body("content type", self._rng.choice(CONTENT_TYPES), data)

    def _nesting(self, path: str) -> Body:
        depth, part = (
            self._rng.choice([50, 200, 1000, 100_000]),
            self._rng.choice(["[", '{"a":', '{"records":[', "[[],"]),
        )
        start = self._rng.choice(["", '{"records": [{"a": ', '{"inputs": ', '{"outcomes": [{"outcome": '])
        closing = "".join({"[": "]", "{": "}"}.get(mark, "") for mark in reversed(part * min(depth, 1000)))
        return Body("nesting", JSON, f"{start}{part * depth}1{closing}".encode())

    def _parquet_bytes(self, path: str) -> Body:
        data = self._rng.choice(self._parquet)
        if self._rng.random() < 0.5:
            return Body("parquet bytes", PARQUET, self._mutate(data))
        at = len(data) - 8 - self._rng.randrange(min(len(data) - 8, 2000))  # in the footer
        return Body("parquet footer", PARQUET, data[:at] + self._rng.randbytes(1) + data[at + 1 :])

    def _parquet_types(self, path: str) -> Body:
        return Body("parquet types", PARQUET, self._rng.choice(self._parquet))

    def _many(self, path: str) -> Body:
        n_rows = self._rng.choice([10_000, 10_001, self._large // 3])
        field = {"/predict": "records", "/outcomes": "outcomes"}.get(path, "instances")
        row = self._rng.choice(["{}", "[]", dump(self._rows[0]), '{"id":"a","outcome":1}'])
        n_rows = min(n_rows, self._large // len(row))
        return Body("many rows", JSON, b'{"%s":[%s]}' % (field.encode(), ",".join([row] * n_rows).encode()))

    def _columns(self, path: str) -> Body:
        rng, n_columns = self._rng, self._rng.choice([1_999, 2_001, 50_000])
        rows = [dict(self._rows[0])] + [
            {f"c{i}x{k if n_columns > 2001 else 0}": 1 for i in range(n_columns // 10)} for k in range(10)
        ]
        return self._wrap(path, "many columns", rng.sample(rows, len(rows)))

    def _long(self, path: str) -> Body:
        row = self._sample(1)[0]
        row[self._rng.choice(list(row))] = self._rng.choice(["x", "é", "\U0001f600", "\\"]) * (self._large // 20)
        return self._wrap(path, "long text", [row])

    def _bomb(self, path: str) -> Body:
        return Body("bomb", PARQUET, self._rng.choice(self._bombs))

    def _text_bomb(self, n_rows: int, size: int) -> bytes:
        indices = pa.array(np.zeros(n_rows, dtype=np.int32))
        values = pa.DictionaryArray.from_arrays(indices, pa.array(["x" * size]))
        return to_parquet(pa.table(dict.fromkeys(self._rows[0], values)), compression="zstd")

    def _number_bomb(self, n_rows: int) -> bytes:
        return to_parquet(pa.table({name: pa.array(np.zeros(n_rows)) for name in self._rows[0]}), compression="zstd")

    def _tables(self) -> list[pa.Table]:
        """Tables with columns of all types, in the place of those that are expected."""
        rows = pa.Table.from_pylist(self._rows[:20])
        times = pa.array([0, None, 2**62] + [1] * 17)
        others: list[pa.Array] = [
            times,
            times.cast(pa.timestamp("ns")),
            times.cast(pa.timestamp("us", "Asia/Kathmandu")),
        ]
        others += [times.cast(pa.duration("s")), pa.array([True] * 20), pa.nulls(20), pa.array([b"\xff\x00"] * 20)]
        others += [pa.array([[1]] * 20), pa.array([{"a": 1}] * 20), pa.array(["x"] * 20).dictionary_encode()]
        others += [
            pa.array([1] * 20).cast(pa.decimal128(38, 10)),
            pa.array([1] * 20, pa.date32()),
            pa.array([1] * 20, pa.time64("us")),
        ]
        others += [pa.array([float("nan")] * 20), pa.array([1] * 20, pa.uint64()), pa.array(["\x00" * 3000] * 20)]
        others += [
            pa.array([{"key": "a"}] * 20).cast(pa.struct([("key", pa.string())])),
            pa.array([b"abcd"] * 20, pa.binary(4)),
        ]
        changed = [
            rows.set_column(at % rows.num_columns, rows.column_names[at % rows.num_columns], values)
            for at, values in enumerate(others)
        ]
        return [
            rows,
            rows.slice(0, 0),
            pa.table({}),
            rows.select([0]),
            rows.append_column(rows.schema.names[0], rows[0]),
            *changed,
        ]


def rows_names(rows: list[Row]) -> list[str]:
    """The names of the columns."""
    return list(rows[0])


def to_csv(columns: list[str], lists: list[list[Any]]) -> bytes:
    """A CSV body; texts are quoted as JSON does, which a CSV does not expect."""
    lines = [columns, *([dump(value) if value is not None else "" for value in row] for row in lists)]
    return "\n".join(",".join(line) for line in lines).encode("utf-8", "surrogatepass")


def to_parquet(table: pa.Table, **options: Any) -> bytes:
    """A Parquet body."""
    file = io.BytesIO()
    pq.write_table(table, file, **options)
    return file.getvalue()
