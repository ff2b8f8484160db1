# One srun for all. Argument: overrides (shell text).
parsl_launch() {
    parsl_write_script
    export CORES=${SLURM_CPUS_ON_NODE:-$CORES} NODES=${SLURM_JOB_NUM_NODES:-$NODES}
    parsl_overrides=$1
    set -- srun --ntasks "$WORKERCOUNT" -l
    eval "set -- \"\$@\" $parsl_overrides"
    parsl_run "$@" /bin/bash "$parsl_script"
}
