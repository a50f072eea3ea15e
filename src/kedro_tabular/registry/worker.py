"""Answers tables with a packaged model, in a process of its own and with the model's own code.

Usage: python -P worker.py MODEL_FOLDER. Run as a script, never imported: it must not bring in the package
around it, whose place the code archived with the model takes. In come pickled pairs of a table and the
parameters, from nobody but the process that started this one; out go Arrow streams. Each is behind its length
in eight bytes; an answer starts with a byte that says whether it is a table or the text of an error.
"""

import json
import os
import pickle
import sys

import mlflow
import pyarrow as pa


def main(folder: str) -> None:
    """Load the model, and answer until the input ends."""
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what the model prints must not get among the answers
    model = mlflow.pyfunc.load_model(folder).unwrap_python_model()
    while header := sys.stdin.buffer.read(8):
        rows, params = pickle.loads(sys.stdin.buffer.read(int.from_bytes(header)))
        try:
            answers = model.predict(rows, params=params)
            if "explanation" in answers:  # in one column of a table, all would have the same features
                answers["explanation"] = answers["explanation"].map(json.dumps)
            answer = b"\x00" + _stream(pa.Table.from_pandas(answers))
        except Exception as error:  # whatever it is, the other side has to know
            answer = b"\x01" + str(error).encode()
        out.write(len(answer).to_bytes(8) + answer)
        out.flush()


def _stream(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


if __name__ == "__main__":
    main(sys.argv[1])
