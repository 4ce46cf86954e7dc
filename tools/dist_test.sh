#!/usr/bin/env bash
# Tests with several processes, one per GPU (or on the CPU if there is none).
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/_launch.sh"

if (( $# < 3 )) || ! [[ $3 =~ ^[1-9][0-9]*$ ]]; then
    echo "usage: $0 CONFIG CHECKPOINT GPUS [arguments of test.py]
GPUS is the number of processes on this machine. Environment: NNODES (1),
NODE_RANK (0), MASTER_ADDR (127.0.0.1), PORT (29500)." >&2
    exit 2
fi
with_torchrun "$3" "$root/tools/test.py" "$1" "$2" --launcher pytorch "${@:4}"
