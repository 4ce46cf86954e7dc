# shellcheck shell=bash
# Sourced by the launchers beside it: how several processes are started.
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export PYTHONPATH="$root${PYTHONPATH:+:$PYTHONPATH}"

# with_torchrun GPUS SCRIPT [arguments]
with_torchrun() {
    local gpus=$1
    shift
    exec python -m torch.distributed.run \
        --nnodes="${NNODES:-1}" \
        --node_rank="${NODE_RANK:-0}" \
        --master_addr="${MASTER_ADDR:-127.0.0.1}" \
        --master_port="${PORT:-29500}" \
        --max_restarts="${MAX_RESTARTS:-0}" \
        --nproc_per_node="$gpus" \
        "$@"
}

# with_srun PARTITION JOB_NAME SCRIPT [arguments]
with_srun() {
    local partition=$1 job_name=$2 gpus_per_node=${GPUS_PER_NODE:-8}
    shift 2
    local srun_args
    read -r -a srun_args <<< "${SRUN_ARGS:-}"  # several words on purpose
    exec srun \
        --partition="$partition" \
        --job-name="$job_name" \
        --gres="gpu:$gpus_per_node" \
        --ntasks="${GPUS:-8}" \
        --ntasks-per-node="$gpus_per_node" \
        --cpus-per-task="${CPUS_PER_TASK:-5}" \
        --kill-on-bad-exit=1 \
        "${srun_args[@]}" \
        python -u "$@"
}
