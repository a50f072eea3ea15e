from .group import cli, run

__all__ = ["cli", "run"]
