#!/bin/sh
# Restore a backup into empty databases and an empty bucket, with the MLflow server stopped: sh deploy/restore.sh FOLDER
# The artifacts come first, so that the database never names one that is missing. PGUSER administrates the databases.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
folder=$(cd "${1:?Say which: sh deploy/restore.sh FOLDER}" && pwd)
. "$here/containers.sh"
for database in "${PGDATABASE:?}" predictions; do
    [ -f "$folder/$database.dump" ] || { echo "$folder has no backup of the database $database" >&2; exit 1; }
done
objects load
for database in "$PGDATABASE" predictions; do
    in_postgres pg_restore --exit-on-error --single-transaction --dbname="$database" < "$folder/$database.dump"
done
