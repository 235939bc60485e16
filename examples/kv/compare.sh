#!/usr/bin/env bash
# Measures three kv processes and three etcd processes on this machine, one group after the other, each synced by a
# majority. kv is measured with redis-benchmark, as fast as it goes (see bench.sh); etcd with the check of its own
# client, which wants to write at the rate of its load (l: 8,000 per second by 500 clients, xl: 15,000 by 1,000) and
# says how many it got. Needs cargo, redis-tools, etcd-server and etcd-client. RUNS says how often to measure.
set -euo pipefail
cd "$(dirname "$0")/../.."

for tool in redis-benchmark redis-cli etcd etcdctl; do
  command -v "$tool" >/dev/null ||
    { echo "compare.sh: $tool is missing: install redis-tools, etcd-server, etcd-client" >&2; exit 1; }
done
runs="${RUNS:-3}"
base="${PORT:-7500}"
directory="$(mktemp -d "${TMPDIR:-/tmp}/kv-compare-XXXXXX")"
processes=()
# Ends what was started here and removes its data, however this ends.
clean_up() {
  for process in "${processes[@]}"; do kill "$process" 2>/dev/null || true; done
  wait 2>/dev/null || true
  rm -rf "$directory"
}
trap clean_up EXIT

echo "kv"
RUNS="$runs" REQUESTS="${REQUESTS:-300000}" examples/kv/bench.sh

echo
echo "etcd $(etcd --version | sed -n 's/^etcd Version: //p')"
cluster=""
for id in 1 2 3; do cluster+="n$id=http://127.0.0.1:$((base + 10 + id)),"; done
endpoints=""
for id in 1 2 3; do
  endpoints+="127.0.0.1:$((base + id)),"
  etcd --name "n$id" --data-dir "$directory/n$id" \
    --listen-client-urls "http://127.0.0.1:$((base + id))" --advertise-client-urls "http://127.0.0.1:$((base + id))" \
    --listen-peer-urls "http://127.0.0.1:$((base + 10 + id))" \
    --initial-advertise-peer-urls "http://127.0.0.1:$((base + 10 + id))" \
    --initial-cluster "${cluster%,}" >"$directory/n$id.log" 2>&1 &
  processes+=($!)
done
export ETCDCTL_API=3
etcdctl() { command etcdctl --endpoints="${endpoints%,}" "$@"; }
until etcdctl endpoint health >/dev/null 2>&1; do sleep 0.2; done
for load in l xl; do
  for _ in $(seq "$runs"); do
    # It clears its line over and over to show how far it is.
    etcdctl check perf --load="$load" --auto-compact 2>&1 | tr '\r' '\n' | grep -E '^(PASS|FAIL)' |
      grep -iE 'throughput|slowest|stddev' | paste -sd ';' | sed "s/^/check perf --load=$load: /" || true
  done
done
