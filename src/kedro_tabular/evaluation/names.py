"""Names of metrics. Apart from the metrics, because reading it must not import scikit-learn."""

BASELINE = "dummy_"  # prefix of the baseline's metrics
