# Read by backup.sh and restore.sh: run a program here, or, with COMPOSE="docker compose", in the containers.
in_postgres() {
    if [ -n "${COMPOSE:-}" ]; then
        $COMPOSE --file "$here/compose.yml" exec -T postgres env PGUSER="$PGUSER" "$@"
    else
        "$@"
    fi
}

objects() { # save or load
    if [ -n "${COMPOSE:-}" ]; then
        $COMPOSE --file "$here/compose.yml" run --rm --no-deps --user "$(id -u)" \
            --volume "$folder/artifacts:/backup" mlflow python /app/deploy/mlflow/objects.py "$1" /backup
    else
        python "$here/mlflow/objects.py" "$1" "$folder/artifacts"
    fi
}
