"""One folder per pipeline: `pipeline.py` wires the nodes, `nodes.py` has the pure functions that you may edit."""
