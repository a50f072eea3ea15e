"""Predicts tables with a packaged model, in a separate process and with the model's archived code.

Usage: python -P worker.py MODEL_FOLDER. Run as a script and never imported, because the archived code takes the place
of the library. Reads pickled pairs of a table and the parameters from stdin, from the process that started this one.
For each it writes to stdout a line of JSON with the name and the message of an error, or null and then the predictions
as an Arrow stream: what archived code returns is data, and is not unpickled.
"""

import json
import os
import pickle
import sys

import mlflow
import pyarrow as pa

CONTRACT_ERROR = "ContractError"


def main(folder: str) -> None:
    """Load the model, and predict until the input ends."""
    output = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what the model prints must not mix with the responses
    model = mlflow.pyfunc.load_model(folder).unwrap_python_model()
    while True:
        try:
            rows, params = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        try:
            predictions = model.predict(rows, params=params)
            if "explanation" in predictions:  # as a column of structs, all would have the same features
                predictions["explanation"] = predictions["explanation"].map(json.dumps)
            table = pa.Table.from_pandas(predictions)
        except Exception as error:  # the other side reports it, whatever it is
            output.write(json.dumps([_name(error), str(error)]).encode() + b"\n")
        else:
            output.write(b"null\n")
            with pa.ipc.new_stream(output, table.schema) as writer:
                writer.write_table(table)
        output.flush()


def _name(error: Exception) -> str:
    """CONTRACT_ERROR for the archived code's own class of this name and its subclasses, else the name of the class."""
    names = [kind.__name__ for kind in type(error).__mro__]
    return CONTRACT_ERROR if CONTRACT_ERROR in names else names[0]


if __name__ == "__main__":
    main(sys.argv[1])
