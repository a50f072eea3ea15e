"""Drift, quality and service of live predictions, and alerts."""

from .pipeline import create_pipeline

__all__ = ["create_pipeline"]
