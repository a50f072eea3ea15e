"""Copy the objects of the bucket to a folder, or back: python objects.py save|load FOLDER. The bucket is S3_BUCKET."""

import os
import sys
from pathlib import Path
from typing import Any

import boto3
from bucket import make_bucket

BUCKET = os.environ["S3_BUCKET"]


def save(storage: Any, folder: Path) -> int:
    """Download all objects that the folder does not have; the number of objects. MLflow never changes an object."""
    pages = storage.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
    objects = [entry for page in pages for entry in page.get("Contents", [])]
    for entry in objects:
        path = folder / entry["Key"]
        if not path.is_file() or path.stat().st_size != entry["Size"]:
            path.parent.mkdir(parents=True, exist_ok=True)
            partial = path.with_name(path.name + ".partial")
            storage.download_file(BUCKET, entry["Key"], str(partial))
            partial.replace(path)
    return len(objects)


def load(storage: Any, folder: Path) -> int:
    """Upload all files of the folder; their number."""
    make_bucket(BUCKET)
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.suffix != ".partial"]
    for path in files:
        storage.upload_file(str(path), BUCKET, path.relative_to(folder).as_posix())
    return len(files)


if __name__ == "__main__":
    client = boto3.client("s3", endpoint_url=os.environ.get("MLFLOW_S3_ENDPOINT_URL") or None)
    actions = {"save": save, "load": load}
    print(actions[sys.argv[1]](client, Path(sys.argv[2])), "objects")  # noqa: T201
