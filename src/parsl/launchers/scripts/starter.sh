# One program that starts the command everywhere. Arguments: the shell for the command,
# overrides (shell text), the program and its options.
parsl_launch() {
    parsl_write_script
    parsl_shell=$1
    parsl_overrides=$2
    shift 2
    eval "set -- \"\$@\" $parsl_overrides"
    parsl_run "$@" "$parsl_shell" "$parsl_script"
}
