# The part that all launchers share. It calls the function parsl_launch (defined above), which starts
# programs and sets parsl_code to the exit code of the block. The values are arguments:
#   name debug tasks_per_node nodes script_dir command [the launcher's own ...]
set +eu # in case worker_init has set them: this script handles exit codes itself
parsl_name=$1
parsl_debug=$2
parsl_tasks_per_node=$3
parsl_nodes=$4
parsl_dir=$5
parsl_command=$6
shift 6

export WORKERCOUNT=$((parsl_tasks_per_node * parsl_nodes))
export NODES=$parsl_nodes
CORES=$(getconf _NPROCESSORS_ONLN)
export CORES

parsl_code=0
parsl_pids=
parsl_signal=
parsl_rubbish=

parsl_say() {
    if [ "$parsl_debug" = 1 ]; then
        echo "$parsl_name: $*"
    fi
}

parsl_give_up() {
    echo "$parsl_name: $*" >&2
    parsl_end 1
}

# Every program runs in the background, as the leader of a process group, so that this shell can
# receive a signal and pass it on to the program with its children.
parsl_start() {
    if [ -n "$parsl_signal" ]; then
        return
    fi
    "$@" </dev/null &
    parsl_pids="$parsl_pids $!"
    if [ -n "$parsl_signal" ]; then # the signal came before the new program was in the list
        parsl_pass_on "$parsl_signal"
    fi
}

parsl_pass_on() {
    parsl_signal=$1
    local parsl_pid
    for parsl_pid in $parsl_pids; do
        kill -s "$1" -- "-$parsl_pid" || kill -s "$1" "$parsl_pid"
    done 2>/dev/null
}

# Sets parsl_code. A signal interrupts `wait`, which then returns the signal's code and not the
# program's; so does a scheduler that suspends the job, which stops the program. Wait again, and
# once more when the program is gone: it may have ended just after an interruption, and only then
# is the code certainly the program's. Whatever can be stopped has a function of its own: when a
# child gets SIGTSTP, bash leaves all loops of the function that waits.
parsl_wait() {
    parsl_wait_once "$1"
    while kill -0 "$1" 2>/dev/null; do
        parsl_nap
        parsl_wait_once "$1"
    done
    parsl_wait_once "$1"
}

parsl_wait_once() {
    wait "$1" 2>/dev/null
    parsl_code=$?
}

parsl_nap() {
    sleep 0.1
    true
}

# Sets parsl_first_failure, an exit code, and parsl_succeeded if any program has.
parsl_wait_for_all() {
    parsl_first_failure=0
    parsl_succeeded=
    local parsl_pid
    for parsl_pid in $parsl_pids; do
        parsl_wait "$parsl_pid"
        if [ "$parsl_code" = 0 ]; then
            parsl_succeeded=yes
        elif [ "$parsl_first_failure" = 0 ]; then
            parsl_first_failure=$parsl_code
        fi
    done
}

# One program, to its end.
parsl_run() {
    parsl_start "$@"
    parsl_wait_for_all
    parsl_code=$parsl_first_failure
}

# Sets parsl_script: a file with the command, which other nodes can read as well. It stays in
# script_dir as a record; in the working directory, which needs no record, it is removed.
parsl_write_script() {
    if ! [ -d "$parsl_dir" ]; then
        parsl_dir=$PWD
        parsl_rubbish=yes
    fi
    local parsl_job=${JOBNAME:-parsl}
    parsl_script=$(mktemp "$parsl_dir/cmd_${parsl_job//\//_}.XXXXXXXX") ||
        parsl_give_up "cannot write the command for the nodes into $parsl_dir"
    chmod 700 "$parsl_script"
    printf '#!/bin/bash\nexec /bin/bash -c %q\n' "$parsl_command" >"$parsl_script" ||
        parsl_give_up "cannot write the command for the nodes to $parsl_script"
}

# Sets parsl_hosts: a file with each node of a PBS job once; empty outside of PBS.
parsl_write_hosts() {
    parsl_hosts=
    if [ -n "$PBS_NODEFILE" ]; then
        parsl_hosts=$parsl_script.hosts
        awk '!seen[$0]++' "$PBS_NODEFILE" >"$parsl_hosts" ||
            parsl_give_up "cannot copy the list of nodes from $PBS_NODEFILE to $parsl_hosts"
    fi
}

parsl_end() {
    if [ -n "$parsl_rubbish" ] && [ -n "$parsl_script" ]; then
        rm -f "$parsl_script" "$parsl_script".*
    fi
    exit "$1"
}

trap 'parsl_pass_on TERM' TERM
trap 'parsl_pass_on INT' INT
trap 'parsl_pass_on HUP' HUP
set -m
parsl_say "starts $WORKERCOUNT on $NODES node(s); this one has $CORES cores"
parsl_launch "$@"
if [ -z "$parsl_pids" ]; then # a signal came before anything was started
    parsl_code=143
fi
parsl_say "all have ended, exit code $parsl_code"
parsl_end "$parsl_code"
