# One srun for each copy of the command, with a share of the job: whole nodes where there are
# enough, and a share of the cores otherwise. Argument: overrides (shell text).
parsl_launch() {
    parsl_write_script
    export CORES=${SLURM_CPUS_ON_NODE:-$CORES} NODES=${SLURM_JOB_NUM_NODES:-$NODES}
    parsl_overrides=$1
    if [ "$WORKERCOUNT" -gt "$NODES" ]; then
        parsl_share=$((NODES * CORES / WORKERCOUNT))
        set -- srun --ntasks "$((parsl_share > 0 ? parsl_share : 1))" -l
    else
        set -- srun --exclusive --nodes "$((NODES / WORKERCOUNT))" -l
    fi
    eval "set -- \"\$@\" $parsl_overrides"
    local number
    for ((number = 1; number <= WORKERCOUNT; number++)); do
        parsl_start "$@" /bin/bash "$parsl_script"
    done
    parsl_wait_for_all
    parsl_code=$parsl_first_failure
}
