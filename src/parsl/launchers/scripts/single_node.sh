# Copies of the command on this node. Argument: 1 when one failed copy fails the block.

# As part of this shell, so that the command sees what worker_init has defined; the number of
# the copy is in $COUNT and $1.
parsl_copy() {
    COUNT=$1
    eval "$parsl_command"
}

parsl_launch() {
    local number
    for ((number = 1; number <= WORKERCOUNT; number++)); do
        parsl_start parsl_copy "$number"
    done
    parsl_wait_for_all
    parsl_code=$parsl_first_failure
    if [ -n "$parsl_succeeded" ] && [ "$1" != 1 ]; then
        parsl_code=0
    fi
}
