"""One folder a pipeline: `nodes.py` holds pure functions, `pipeline.py` only wires them."""
