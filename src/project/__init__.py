"""Tabular machine learning from versioned data to a registered model."""
