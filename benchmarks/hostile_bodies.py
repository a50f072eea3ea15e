"""Bodies of hostile requests to the service, in all its formats, made of rows that it would accept."""

import gzip
import json
import random
from collections.abc import Callable
from typing import Any, NamedTuple

import pyarrow as pa
from hostile_parquet import make_bombs, make_tables, to_parquet
from hostile_values import BODIES, CONTENT_TYPES, IDS, NAMES, ROW, VALUES

JSON, CSV, PARQUET = "application/json", "text/csv", "application/vnd.apache.parquet"
Row = dict[str, Any]


class Body(NamedTuple):
    """A body, its content type, and what is hostile about it."""

    kind: str
    content_type: str
    data: bytes


class RawJson(str):
    """A text that stands in JSON as it is."""


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
        self._parquet = [to_parquet(table) for table in make_tables(rows)]
        self._bombs = make_bombs(list(rows[0]))

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
        name = rng.choice([*NAMES, *self._rows[0]])
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
        text = self._rng.choice(BODIES).replace(ROW, dump(self._sample(1)[0]))
        return Body("structure", self._rng.choice([JSON, JSON, JSON, CSV, PARQUET]), text.encode())

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


def to_csv(columns: list[str], lists: list[list[Any]]) -> bytes:
    """A CSV body; texts are quoted as JSON does, which a CSV does not expect."""
    lines = [columns, *([dump(value) if value is not None else "" for value in row] for row in lists)]
    return "\n".join(",".join(line) for line in lines).encode("utf-8", "surrogatepass")
