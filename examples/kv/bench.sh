#!/usr/bin/env bash
# Measures a group of three nodes on this machine with redis-benchmark: every SET is synced by a majority
# before it is acknowledged. Needs cargo and redis-tools. KV names another program, RUNS how often to measure,
# REQUESTS how many requests a run has with and without pipelining.
set -euo pipefail
cd "$(dirname "$0")/../.."

for tool in redis-benchmark redis-cli; do
  command -v "$tool" >/dev/null || { echo "bench.sh: $tool is missing: install redis-tools" >&2; exit 1; }
done
if [ -z "${KV:-}" ]; then
  cargo build --release --bin kv
  KV="${CARGO_TARGET_DIR:-target}/release/kv"
fi
runs="${RUNS:-5}"
pipelined="${REQUESTS:-600000}"
single=$((pipelined / 6))
base="${PORT:-7400}"
directory="$(mktemp -d "${TMPDIR:-/tmp}/kv-bench-XXXXXX")"
processes=()
# Ends what was started here and removes its data, however this ends.
clean_up() {
  for process in "${processes[@]}"; do kill "$process" 2>/dev/null || true; done
  wait 2>/dev/null || true
  rm -rf "$directory"
}
trap clean_up EXIT

for id in 1 2 3; do
  place=(--dir "$directory/n$id" --id "$id" --listen "127.0.0.1:$((base + id))"
    --peer-listen "127.0.0.1:$((base + 10 + id))")
  if [ "$id" = 1 ]; then "$KV" init "${place[@]}"; else
    "$KV" join "${place[@]}" --member "127.0.0.1:$((base + 1))"
  fi
  RUST_LOG="${RUST_LOG:-warn}" "$KV" serve --dir "$directory/n$id" 2>"$directory/n$id.log" &
  processes+=($!)
  until redis-cli -p $((base + id)) info raft 2>/dev/null | grep -q '^raft_leader_id:[0-9]'; do sleep 0.1; done
done
# Both newcomers have a vote before anything is measured.
until [ "$(redis-cli -p $((base + 1)) raft.status | grep -c ' Voter ')" = 3 ]; do sleep 0.1; done
leader="$(redis-cli -p $((base + 1)) info raft | tr -d '\r' | sed -n 's/^raft_leader_id://p')"
port=$((base + leader))

measure() {
  local command="$1" lines=""
  for _ in $(seq "$runs"); do
    # Without -q the last line is the table's; -q would add progress to an error.
    lines+="$($command -p "$port" --csv | tail -1)"$'\n'
  done
  printf '%-62s' "$command"
  printf '%s' "$lines" | tr -d '"' | sort -t, -k2 -n |
    awk -F, '{ rate[NR] = $2; p50[NR] = $5; p99[NR] = $7 }
      END { m = int((NR + 1) / 2);
            printf "%10d %10d %10d %8.1f %8.1f\n", rate[1], rate[m], rate[NR], p50[m], p99[m] }'
}

printf '%-62s%10s %10s %10s %8s %8s\n' "per second; milliseconds of the median run" least median most p50 p99
measure "redis-benchmark -t set -r 100000 -c 50 -P 16 -d 64 -n $pipelined"
measure "redis-benchmark -t set -r 100000 -c 50 -P 1 -d 64 -n $single"
measure "redis-benchmark -t get -r 100000 -c 50 -P 16 -d 64 -n $pipelined"
measure "redis-benchmark -t get -r 100000 -c 50 -P 1 -d 64 -n $single"
