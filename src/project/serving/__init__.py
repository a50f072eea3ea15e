"""The HTTP service: the packaged model behind FastAPI, and the log of its predictions."""
