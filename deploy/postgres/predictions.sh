#!/bin/sh
# The database of the prediction log, with a user that sees nothing else. PostgreSQL's image runs it once.
set -eu
psql --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" --set password="$PREDICTIONS_PASSWORD" <<'SQL'
CREATE ROLE predictions LOGIN PASSWORD :'password';
CREATE DATABASE predictions OWNER predictions;
SQL
