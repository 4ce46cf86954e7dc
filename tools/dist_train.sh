#!/usr/bin/env bash
# Trains with several processes, one per GPU (or on the CPU if there is none).
set -euo pipefail

if (( $# < 2 )) || ! [[ $2 =~ ^[1-9][0-9]*$ ]]; then
    echo "usage: $0 CONFIG GPUS [arguments of train.py]
GPUS is the number of processes on this machine. Environment: NNODES (1),
NODE_RANK (0), MASTER_ADDR (127.0.0.1), PORT (29500)." >&2
    exit 2
fi
config=$1
gpus=$2
shift 2

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export PYTHONPATH="$root${PYTHONPATH:+:$PYTHONPATH}"

exec python -m torch.distributed.run \
    --nnodes="${NNODES:-1}" \
    --node_rank="${NODE_RANK:-0}" \
    --master_addr="${MASTER_ADDR:-127.0.0.1}" \
    --master_port="${PORT:-29500}" \
    --nproc_per_node="$gpus" \
    "$root/tools/train.py" "$config" --launcher pytorch "$@"
