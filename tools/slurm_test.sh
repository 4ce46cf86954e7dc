#!/usr/bin/env bash
# Tests on a Slurm cluster, one task per GPU.
set -euo pipefail

if (( $# < 4 )); then
    echo "usage: $0 PARTITION JOB_NAME CONFIG CHECKPOINT [arguments of test.py]
Environment: GPUS (8), GPUS_PER_NODE (8), CPUS_PER_TASK (5), SRUN_ARGS and
PY_ARGS (more arguments for srun and for test.py)." >&2
    exit 2
fi
partition=$1
job_name=$2
config=$3
checkpoint=$4
shift 4

gpus_per_node=${GPUS_PER_NODE:-8}
# These two hold several words on purpose.
read -r -a srun_args <<< "${SRUN_ARGS:-}"
read -r -a py_args <<< "${PY_ARGS:-}"

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export PYTHONPATH="$root${PYTHONPATH:+:$PYTHONPATH}"

exec srun \
    --partition="$partition" \
    --job-name="$job_name" \
    --gres="gpu:$gpus_per_node" \
    --ntasks="${GPUS:-8}" \
    --ntasks-per-node="$gpus_per_node" \
    --cpus-per-task="${CPUS_PER_TASK:-5}" \
    --kill-on-bad-exit=1 \
    "${srun_args[@]}" \
    python -u "$root/tools/test.py" "$config" "$checkpoint" \
    --launcher=slurm "${py_args[@]}" "$@"
