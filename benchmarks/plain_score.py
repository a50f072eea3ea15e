"""Score a Parquet table in chunks with the fitted scikit-learn pipeline alone, to measure inference by.

Usage: python plain_score.py PROJECT_FOLDER TABLE   (the project's preprocessor and model must be there)
"""

import sys
from pathlib import Path

import pyarrow.parquet as pq
import yaml
from sklearn.pipeline import make_pipeline
from skops import io

ROWS = 50_000


def main(project: Path, table: Path) -> None:
    """Read, score, and count what was scored."""
    parameters = yaml.safe_load((project / "conf" / "base" / "parameters.yml").read_text())
    paths = [project / "data" / "06_models" / f"{name}.skops" for name in ("preprocessor", "model")]
    pipeline = make_pipeline(*(io.load(path, trusted=io.get_untrusted_types(file=path)) for path in paths))
    columns = list(parameters["table"]["columns"])
    scored = 0
    for batch in pq.ParquetFile(table).iter_batches(ROWS):
        scored += len(pipeline.predict_proba(batch.to_pandas()[columns]))
    sys.stdout.write(f"{scored:,} rows\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
