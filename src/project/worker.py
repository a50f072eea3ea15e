"""Answers tables with a packaged model, in a process of its own and with the model's own code.

Usage: python -P worker.py MODEL_FOLDER. Run as a script, never imported: it must not bring in the package
around it, whose place the code archived with the model takes. Both ways go Arrow streams, each behind its
length in eight bytes; an answer starts with a byte that says whether it is a table or the text of an error.
"""

import os
import sys

import mlflow
import pyarrow as pa


def main(folder: str) -> None:
    """Load the model, and answer until the input ends."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what the model prints must not get among the answers
    model = mlflow.pyfunc.load_model(folder).unwrap_python_model()
    while header := sys.stdin.buffer.read(8):
        rows = pa.ipc.open_stream(sys.stdin.buffer.read(int.from_bytes(header))).read_pandas()
        try:
            answer = b"\x00" + _stream(pa.Table.from_pandas(model.predict(rows)))
        except Exception as error:  # whatever it is, the other side has to know
            answer = b"\x01" + str(error).encode()
        answers.write(len(answer).to_bytes(8) + answer)
        answers.flush()


def _stream(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


if __name__ == "__main__":
    main(sys.argv[1])
