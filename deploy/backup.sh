#!/bin/sh
# Back up the runs, the registry, the users and the prediction log, then the artifacts: sh deploy/backup.sh FOLDER
# In this order, all artifacts are there that the database names. The variables are those of deploy/.env, where PGUSER
# may read both databases. A second backup into the folder downloads only the artifacts that are new.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "${1:?Say where: sh deploy/backup.sh FOLDER}/artifacts"
folder=$(cd "$1" && pwd)
. "$here/containers.sh"
for database in "${PGDATABASE:?}" predictions; do
    in_postgres pg_dump --format=custom "$database" > "$folder/$database.partial"
    mv "$folder/$database.partial" "$folder/$database.dump"
done
objects save
