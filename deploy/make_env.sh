#!/bin/sh
# Write deploy/.env from env.example, with secrets that are made here: sh deploy/make_env.sh mlflow.example.com
set -eu
here=$(cd "$(dirname "$0")" && pwd)
name=${1:?Say by which name clients call the server: sh deploy/make_env.sh mlflow.example.com}
case $name in
*[!A-Za-z0-9.-]*) echo "$name is no name of a machine, such as mlflow.example.com: nothing was written" >&2; exit 1 ;;
esac
command -v openssl > /dev/null || { echo "openssl makes the secrets, and is missing: nothing was written" >&2; exit 1; }
[ ! -e "$here/.env" ] || { echo "$here/.env exists: nothing was changed" >&2; exit 1; }
umask 077
while IFS= read -r line; do
    case $line in
    SERVICE_PASSWORD=) echo "$line" ;; # users.py makes it
    [A-Z]*=) echo "$line$(openssl rand -hex 24)" ;;
    MLFLOW_ALLOWED_HOSTS=*) echo "$line" | sed "s/mlflow\.example\.com/$name,$name:5000/" ;;
    MLFLOW_ORIGINS=*) echo "MLFLOW_ORIGINS=https://$name" ;;
    *) echo "$line" ;;
    esac
done < "$here/env.example" > "$here/.env.partial"
mv "$here/.env.partial" "$here/.env"
