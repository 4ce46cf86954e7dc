#!/usr/bin/env bash
# Tests with several processes, one per GPU (or on the CPU if there is none).
set -euo pipefail

if (( $# < 3 )) || ! [[ $3 =~ ^[1-9][0-9]*$ ]]; then
    echo "usage: $0 CONFIG CHECKPOINT GPUS [arguments of test.py]
GPUS is the number of processes on this machine. Environment: NNODES (1),
NODE_RANK (0), MASTER_ADDR (127.0.0.1), PORT (29500)." >&2
    exit 2
fi
config=$1
checkpoint=$2
gpus=$3
shift 3

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export PYTHONPATH="$root${PYTHONPATH:+:$PYTHONPATH}"

exec python -m torch.distributed.run \
    --nnodes="${NNODES:-1}" \
    --node_rank="${NODE_RANK:-0}" \
    --master_addr="${MASTER_ADDR:-127.0.0.1}" \
    --master_port="${PORT:-29500}" \
    --nproc_per_node="$gpus" \
    "$root/tools/test.py" "$config" "$checkpoint" --launcher pytorch "$@"
