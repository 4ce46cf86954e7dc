#!/usr/bin/env bash
# Tests on a Slurm cluster, one task per GPU.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/_launch.sh"

if (( $# < 4 )); then
    echo "usage: $0 PARTITION JOB_NAME CONFIG CHECKPOINT [arguments of test.py]
Environment: GPUS (8), GPUS_PER_NODE (8), CPUS_PER_TASK (5), SRUN_ARGS and
PY_ARGS (more arguments for srun and for test.py)." >&2
    exit 2
fi
read -r -a py_args <<< "${PY_ARGS:-}"
with_srun "$1" "$2" "$root/tools/test.py" "$3" "$4" --launcher=slurm \
    "${py_args[@]}" "${@:5}"
