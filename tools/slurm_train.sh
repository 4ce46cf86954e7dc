#!/usr/bin/env bash
# Trains on a Slurm cluster, one task per GPU.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/_launch.sh"

if (( $# < 4 )); then
    echo "usage: $0 PARTITION JOB_NAME CONFIG WORK_DIR [arguments of train.py]
Environment: GPUS (8), GPUS_PER_NODE (8), CPUS_PER_TASK (5), SRUN_ARGS and
PY_ARGS (more arguments for srun and for train.py)." >&2
    exit 2
fi
read -r -a py_args <<< "${PY_ARGS:-}"
with_srun "$1" "$2" "$root/tools/train.py" "$3" --work-dir="$4" \
    --launcher=slurm "${py_args[@]}" "${@:5}"
