"""Values, names and whole bodies that a service does not expect, as texts."""

# Each line is a value in JSON, because Python can't write most of them.
_VALUES = r"""
NaN
Infinity
-Infinity
1e308
1e999
-0.0
1e-999
-1e-320
9223372036854775808
null
true
[]
{}
[[[[1]]]]
{"a": {"b": null}}
""
"\u0000"
"\ud800"
"\udfff\ud800"
"a\u0000b"
"\u202e\ufeff"
"NA"
"nan"
"1e999"
"0000-00-00"
"9999-12-31T23:59:59Z"
"2025-03-30T02:30:00+99:99"
"'; DROP TABLE predictions; --"
"<script>alert(1)</script>"
"=cmd|' /C'!A0"
"""
VALUES = _VALUES.strip().split("\n")
VALUES += ["9" * 400, "9" * 5000, "-" + "9" * 30, "0.1" + "0" * 3000, "[" * 60 + "]" * 60]
VALUES += [f'"{text}"' for text in ("x" * 9_999, "x" * 20_001, "\U0001f600" * 3000, "9" * 5000)]
IDS = ['"a"', f'"{"x" * 129}"', "1", "1.0", "1.5", "true", r'"\u0000"', r'"\n"', "9" * 200, "[]", "null", '"é"', "NaN"]
NAMES = [" ", "", "\x00", "x" * 100_000, "columns", "__class__", "\ud800", "a.b", "{0}", "%s"]  # of columns
CONTENT_TYPES = ["", "application/json", "text/csv", "application/vnd.apache.parquet", "text/plain", "json", ";;;"]
CONTENT_TYPES += ["multipart/form-data; boundary=x", "application/x-ndjson", "text/csv; charset=latin-1", "\x80\xff"]
CONTENT_TYPES += ["application/json; charset=utf-16", "a/b" * 500]

ROW = "ROW"  # stands for a row that the service accepts
# Each line is a body.
_BODIES = """
null
1
"records"
[]
{}
[ROW]
ROW
{"records": null}
{"records": {}}
{"records": [null]}
{"records": [[]]}
{"records": []}
{"records": [{}]}
{"records": [{}, 1]}
{"records": [ROW], "explian": true}
{"records": [ROW], "records": 1}
{"recrods": [ROW]}
{"outcomes": 1}
{"outcomes": []}
{"inputs": {}}
{"inputs": []}
{"inputs": [[]]}
{"instances": [[1], [1, 2]]}
{"instances": 1, "inputs": 2}
{"instances": [ROW], "params": 1}
{"instances": [ROW], "params": {"explain": "yes"}}
{"dataframe_split": {}}
{"dataframe_split": {"columns": ["a", "a"], "data": [[1, 2]]}}
{"dataframe_split": {"columns": [[]], "data": []}}
{"dataframe_split": {"columns": [], "data": [[], []]}}
NaN
-
{"a":1}{"b":2}
PAR1
PAR1PAR1
"""
BODIES = _BODIES.strip().split("\n")
BODIES += ["", "{" * 30, "\ufeff{}", "a,b\n1", ",\n,,\n", "\n\n", 'a\n"', '"a\nb",c\n1,2', "," * 3000, "a,a\n1,2"]
BODIES += ["\x00,\x00\n\x00", "a" * 200_000 + "\n1"]
