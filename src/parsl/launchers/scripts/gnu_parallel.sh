# Copies of the command, started by GNU parallel on the nodes of a PBS job, or here. Its exit
# code is the number of copies that failed (101 for more than 100).
parsl_launch() {
    parsl_write_script
    parsl_write_hosts
    set -- parallel --jobs "$parsl_tasks_per_node" --max-args 0 --joblog "$parsl_script.log"
    if [ -n "$parsl_hosts" ]; then
        set -- "$@" --sshloginfile "$parsl_hosts" --workdir "$PWD"
        if [ -f "$HOME/.parallel/ignored_vars" ]; then # without it, `--env _` is an error
            set -- "$@" --env _
        fi
    fi
    parsl_run "$@" /bin/bash "$(printf '%q' "$parsl_script")" ::: $(seq "$WORKERCOUNT")
}
