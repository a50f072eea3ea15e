#!/bin/sh
# Starts the MLflow server of a team: runs, registry and users in PostgreSQL, artifacts in S3. Clients reach the
# artifacts through the server, so that they need no keys of the storage. The variables are those of deploy/env.example.
set -eu
here=$(cd "$(dirname "$0")" && pwd)

refuse() {
    echo "The MLflow server does not start: $1" >&2
    exit 1
}

check_secret() { # name, value
    [ ${#2} -ge 16 ] || refuse "$1 needs 16 characters or more; make one: openssl rand -hex 24"
    case $2 in
    *[Cc][Hh][Aa][Nn][Gg][Ee]* | *[Ee][Xx][Aa][Mm][Pp][Ll][Ee]* | *[Pp][Aa][Ss][Ss][Ww][Oo][Rr][Dd]*)
        refuse "$1 is an example; make one: openssl rand -hex 24" ;;
    esac
}

check_secret MLFLOW_AUTH_ADMIN_PASSWORD "${MLFLOW_AUTH_ADMIN_PASSWORD:-}"
check_secret MLFLOW_FLASK_SERVER_SECRET_KEY "${MLFLOW_FLASK_SERVER_SECRET_KEY:-}"
case ${PGHOST:-} in
/*) ;; # a Unix socket: PostgreSQL asks the operating system who it is
"") refuse "PGHOST is missing: the address of PostgreSQL" ;;
*) check_secret PGPASSWORD "${PGPASSWORD:-}" ;;
esac
# Amazon's own storage may know the machine by its role.
[ -z "${MLFLOW_S3_ENDPOINT_URL:-}" ] || check_secret AWS_SECRET_ACCESS_KEY "${AWS_SECRET_ACCESS_KEY:-}"
[ -n "${MLFLOW_ALLOWED_HOSTS:-}" ] || refuse "MLFLOW_ALLOWED_HOSTS is missing: the names that clients call it by"
[ -n "${MLFLOW_ORIGINS:-}" ] || refuse "MLFLOW_ORIGINS is missing, such as https://mlflow.example.com"
[ -n "${S3_BUCKET:-}" ] || refuse "S3_BUCKET is missing"

export MLFLOW_AUTH_CONFIG_PATH="$here/auth.ini"
export MLFLOW_DISABLE_TELEMETRY=true MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false
python "$here/bucket.py" "$S3_BUCKET"
exec python -m mlflow server --host "${MLFLOW_HOST:-127.0.0.1}" --port "${MLFLOW_PORT:-5000}" \
    --workers "${MLFLOW_WORKERS:-2}" --backend-store-uri postgresql+psycopg:// \
    --artifacts-destination "s3://$S3_BUCKET/mlflow" --app-name basic-auth \
    --allowed-hosts "$MLFLOW_ALLOWED_HOSTS" --cors-allowed-origins "$MLFLOW_ORIGINS"
