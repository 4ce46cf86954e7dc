#!/usr/bin/env bash
# Trains with several processes, one per GPU (or on the CPU if there is none).
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/_launch.sh"

if (( $# < 2 )) || ! [[ $2 =~ ^[1-9][0-9]*$ ]]; then
    echo "usage: $0 CONFIG GPUS [arguments of train.py]
GPUS is the number of processes on this machine. Environment: NNODES (1),
NODE_RANK (0), MASTER_ADDR (127.0.0.1), PORT (29500), MAX_RESTARTS (0): how
often a training whose process died goes on from its last checkpoint." >&2
    exit 2
fi
with_torchrun "$2" "$root/tools/train.py" "$1" --launcher pytorch "${@:3}"
