"""Make the bucket, unless it is there: python bucket.py NAME. Waits a minute for the storage."""

import os
import sys
import time

import boto3
from botocore.exceptions import ClientError, EndpointConnectionError

_PATIENCE = 60  # seconds


def make_bucket(name: str) -> None:
    """Make it. Raises ClientError if the keys are wrong, and EndpointConnectionError if nothing answers."""
    storage = boto3.client("s3", endpoint_url=os.environ.get("MLFLOW_S3_ENDPOINT_URL") or None)
    until = time.monotonic() + _PATIENCE
    while True:
        try:
            storage.head_bucket(Bucket=name)
            return
        except EndpointConnectionError:
            if time.monotonic() > until:
                raise
            time.sleep(1)
        except ClientError as error:
            if error.response["Error"]["Code"] not in ("404", "NoSuchBucket"):
                raise
            storage.create_bucket(Bucket=name)


if __name__ == "__main__":
    try:
        make_bucket(sys.argv[1])
    except (ClientError, EndpointConnectionError) as error:
        sys.exit(f"The bucket {sys.argv[1]} is not available: {error}")
