#!/usr/bin/env bash
# The step "zabbix" against a real Zabbix, Debian's 6.0: its server, its frontend with PHP's built-in server, and PostgreSQL, all of them on
# loopback and in a directory that is removed afterwards. Nothing of the machine's own PostgreSQL or web server is touched.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

packages=(postgresql zabbix-server-pgsql zabbix-frontend-php php-cli php-pgsql)
if ! dpkg -s "${packages[@]}" >/dev/null 2>&1; then
  apt-get update -qq
  # The run level keeps the packages from starting services.
  RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
fi

# Neither PostgreSQL nor Zabbix runs as root.
postgres=(setpriv --reuid postgres --regid postgres --clear-groups --)
as() { "${postgres[@]}" "$@"; }
bin=$(ls -d /usr/lib/postgresql/*/bin | sort -V | tail -1)
dir=$(mktemp -d /tmp/ebb-zabbix.XXXXXX)
started=()
finish() {
  for pid in "${started[@]}"; do kill -- "-$pid" 2>/dev/null || true; done
  wait "${started[@]}" 2>/dev/null || true
  as "$bin/pg_ctl" -D "$dir/db" -m immediate stop >/dev/null 2>&1 || true
  rm -rf "$dir"
}
trap finish EXIT

# A port that nobody has; Zabbix takes none above 32767.
free() {
  python3 -c '
import random, socket
while True:
    port = random.randrange(20000, 32000)
    with socket.socket() as s:
        if s.connect_ex(("127.0.0.1", port)):
            print(port)
            break'
}
db=$(free) web=$(free) trapper=$(free)

# until COMMAND...: waits for it, a minute at most.
until_ok() {
  for _ in $(seq 600); do
    "$@" >/dev/null 2>&1 && return
    sleep 0.1
  done
  echo "not in time: $*" >&2
  cat "$dir"/*.log >&2
  return 1
}

cp -r /usr/share/zabbix "$dir/web"
sed -i "s|/etc/zabbix/zabbix.conf.php|$dir/web.conf.php|" "$dir/web/include/classes/core/CConfigFile.php"
cat > "$dir/web.conf.php" <<PHP
<?php
\$DB = ['TYPE' => 'POSTGRESQL', 'SERVER' => '127.0.0.1', 'PORT' => '$db', 'DATABASE' => 'zabbix', 'USER' => 'postgres', 'PASSWORD' => '', 'SCHEMA' => '',
  'ENCRYPTION' => false, 'KEY_FILE' => '', 'CERT_FILE' => '', 'CA_FILE' => '', 'VERIFY_HOST' => false, 'CIPHER_LIST' => '', 'DOUBLE_IEEE754' => true];
\$ZBX_SERVER = '127.0.0.1'; \$ZBX_SERVER_PORT = '$trapper'; \$ZBX_SERVER_NAME = 'ebb'; \$IMAGE_FORMAT_DEFAULT = IMAGE_FORMAT_PNG;
PHP
cat > "$dir/server.conf" <<CONF
DBHost=127.0.0.1
DBPort=$db
DBName=zabbix
DBUser=postgres
ListenIP=127.0.0.1
ListenPort=$trapper
LogFile=$dir/server.log
PidFile=$dir/server.pid
SocketDir=$dir
CacheUpdateFrequency=1
StartPingers=0
StartDiscoverers=0
CONF
chown -R postgres "$dir"

as "$bin/initdb" -D "$dir/db" -A trust --no-sync >"$dir/initdb.log"
as "$bin/pg_ctl" -D "$dir/db" -o "-p $db -c listen_addresses=127.0.0.1 -k $dir -c fsync=off" -l "$dir/db.log" -w start >/dev/null
as "$bin/createdb" -h 127.0.0.1 -p "$db" -E UTF8 -T template0 zabbix
# In one transaction: there are tens of thousands of rows.
(cd /usr/share/zabbix-server-pgsql && zcat schema.sql.gz images.sql.gz data.sql.gz | grep -vE '^(START TRANSACTION|COMMIT);') |
  as "$bin/psql" -h 127.0.0.1 -p "$db" -q -1 -o /dev/null zabbix
setsid "${postgres[@]}" /usr/sbin/zabbix_server -f -c "$dir/server.conf" >"$dir/zabbix.log" 2>&1 &
started+=($!)
# Two processes of PHP's server: one call must not wait for another.
PHP_CLI_SERVER_WORKERS=2 setsid "${postgres[@]}" php -d max_execution_time=300 -d post_max_size=16M -d max_input_time=300 -d date.timezone=UTC \
  -S "127.0.0.1:$web" -t "$dir/web" >"$dir/php.log" 2>&1 &
started+=($!)
url=http://127.0.0.1:$web/api_jsonrpc.php
until_ok curl -sf -H 'Content-Type: application/json-rpc' -d '{"jsonrpc":"2.0","method":"apiinfo.version","params":[],"id":1}' "$url"
until_ok bash -c "echo > /dev/tcp/127.0.0.1/$trapper"

EBB_ZABBIX_URL=$url EBB_ZABBIX_TRAPPER=127.0.0.1:$trapper EBB_ZABBIX_DB="$bin/psql -h 127.0.0.1 -p $db -U postgres -At zabbix" \
  go test -count=1 -v -tags zabbix ./internal/host -run '^TestRealZabbix$' || { tail -n 20 "$dir"/*.log >&2; exit 1; }
