# Arguments: the option that binds processes to processors, overrides (both shell text).
parsl_launch() {
    parsl_write_script
    parsl_write_hosts
    parsl_binding=${1:+$1 none} # the workers bind themselves
    parsl_overrides=$2
    set -- mpiexec -n "$WORKERCOUNT"
    eval "set -- \"\$@\" $parsl_binding"
    if [ -n "$parsl_hosts" ]; then
        set -- "$@" --hostfile "$parsl_hosts"
    fi
    eval "set -- \"\$@\" $parsl_overrides"
    parsl_run "$@" /bin/bash "$parsl_script"
}
