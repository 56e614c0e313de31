#!/usr/bin/env bash
# Writes .sqlx/ anew: starts a throwaway PostgreSQL, migrates it, and lets the query macros describe
# every query against it. Needs PostgreSQL's server and psql; no sqlx-cli.
set -euo pipefail
cd "$(dirname "$0")/.."

bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1)
[ -n "$bin" ] || bin=$(dirname "$(command -v initdb)")
dir=$(mktemp -d /tmp/scr-sqlx-XXXXXX)
as=()
if [ "$(id -u)" = 0 ]; then
    user=postgres; id -u postgres >/dev/null 2>&1 || user=nobody
    as=(setpriv --reuid "$user" --regid "$(id -g "$user")" --clear-groups --)
    chown "$user" "$dir"
fi
stop() {
    (cd / && "${as[@]}" "$bin/pg_ctl" stop -s -m immediate -D "$dir/data") || true
    rm -rf "$dir"
}
trap stop EXIT

(cd / && "${as[@]}" "$bin/initdb" -A trust -U postgres -E UTF8 --no-locale --no-sync -D "$dir/data" >/dev/null)
(cd / && "${as[@]}" "$bin/pg_ctl" start -w -s -D "$dir/data" -l "$dir/log" \
    -o "-c listen_addresses= -c unix_socket_directories=$dir -c fsync=off")

psql=(psql -q -h "$dir" -U postgres -v ON_ERROR_STOP=1)
"${psql[@]}" -d postgres -c 'CREATE DATABASE scrutineer'
# The migrator's own table, which the grants speak of.
"${psql[@]}" -d scrutineer -c 'CREATE TABLE _sqlx_migrations (version bigint PRIMARY KEY, description text NOT NULL,
    installed_on timestamptz NOT NULL DEFAULT now(), success boolean NOT NULL, checksum bytea NOT NULL, execution_time bigint NOT NULL)'
for file in migrations/*.sql; do
    "${psql[@]}" -d scrutineer -1 -f "$file" >/dev/null
done

rm -rf .sqlx
mkdir .sqlx
# The macros run when the crate is compiled anew.
touch src/lib.rs src/main.rs tests/suite/main.rs
SQLX_OFFLINE=false SQLX_OFFLINE_DIR="$PWD/.sqlx" DATABASE_URL="postgres://postgres@localhost/scrutineer?host=$dir" \
    cargo check --all-targets
# So that the next build reads what was written.
touch src/lib.rs
echo "$(ls .sqlx | wc -l) queries in .sqlx/"
