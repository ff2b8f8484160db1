#!/bin/bash
# Runs the Aurora ensemble on this machine: `make demo`.
#
#   PYTHON        the Python to use; Parsl is installed for it (default: python3)
#   DEMO_DIR      where results go (default: .demo at the top of the repository)
#   SWEEP_TASKS   oscillators in the parameter sweep (default: 400)
#   STEP_LIMIT_S  seconds after which a step has failed (default: 300)
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
python=$(command -v "${PYTHON:-python3}") || { echo "There is no ${PYTHON:-python3}." >&2; exit 1; }
python=$(cd "$(dirname "$python")" && pwd)/$(basename "$python")
"$python" -c 'import parsl' || { echo "Parsl is not installed for $python." >&2; exit 1; }
demo=${DEMO_DIR:-$here/../../.demo}
mkdir -p "$demo"
demo=$(cd "$demo" && pwd)
began=$SECONDS
summary=()
short=  # a folder whose path has no spaces, if one is needed

# Whatever is left running at the end is found by this mark in its environment.
export PARSL_DEMO="$$-$RANDOM"
export PYTHONUNBUFFERED=1
unset PBS_NODEFILE PARSL_CORES PARSL_MEMORY_GB

# Packages in the home directory of the user keep their place when HOME changes.
PYTHONUSERBASE=$("$python" -c 'import site; print(site.getuserbase())')
export PYTHONUSERBASE

# A demonstration that fails or is interrupted leaves no process behind either.
at_exit() {
    local code=$?
    [ "$code" -eq 0 ] || "$python" "$here/check_results.py" stop "$PARSL_DEMO" >&2
    [ -z "$short" ] || rm -rf "$short"
    exit "$code"
}
trap at_exit EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

headline() {
    printf '\n== %s\n' "$*"
}

# fresh NAME FILE...: a folder with copies of these files to run a step in.
fresh() {
    local folder=$demo/$1
    rm -rf "$folder"
    mkdir -p "$folder"
    (cd "$here" && cp -- "${@:2}" "$folder")
    cd "$folder"
}

# step NAME COMMAND...: runs it here, shows what it says, keeps that in log.txt.
step() {
    local name=$1
    shift
    timeout --foreground --kill-after=20 "${STEP_LIMIT_S:-300}" "$@" 2>&1 | tee log.txt && return
    echo "FAILED: $name; see $PWD/log.txt and $PWD/runinfo" >&2
    exit 1
}

# watch RUN: explains how to watch a run.
watch() {
    local parsl
    parsl=$(printf '%q' "$(dirname "$python")/parsl")
    printf 'Watch it from another terminal, also afterwards:\n'
    printf '  %s %s %q\n' "$parsl" top "$1" "$parsl" dashboard "$1"
}

# check ARGUMENT...: adds a line to the summary, or ends the demonstration.
check() {
    local found
    found=$("$python" "$here/check_results.py" "${@:2}") || exit 1
    summary+=("$1: $found")
}

# The scripts of the user guide call a program in the home directory of the user.
guide_home() {
    local home=$demo/home programs
    # The guide's command has no quotes around $HOME.
    if [[ $home == *[[:space:]]* ]]; then
        short=$(mktemp -d)
        home=$short/home
    fi
    programs=$home/GettingStarted/Examples/Aurora/affinity_gpu/sycl
    mkdir -p "$programs"
    cp "$here/hello_affinity" "$programs/"
    export HOME=$home
    # Long enough that each of the twelve workers gets one of the twelve tasks.
    export HELLO_AFFINITY_SECONDS=0.5
}

headline "The workflow of the user guide, on this machine"
guide_home
fresh workflow my_parsl_workflow.py config.py
step "the workflow" "$python" my_parsl_workflow.py
# What the manager says of processors that this machine does not have.
{ grep -rhom1 'cpu_affinity names.*' runinfo || true; } | head -n 1
check "Workflow" ensemble log.txt output

headline "A parameter sweep, gathered by a task that depends on all others"
fresh sweep parameter_sweep.py oscillator.py report.py config.py
watch "$PWD/runinfo/000"
step "the parameter sweep" "$python" parameter_sweep.py --tasks "${SWEEP_TASKS:-400}" --output .
check "Sweep" sweep log.txt .

headline "The same workflow inside a PBS job: in_job_config.py as the guide has it"
fresh in_job my_parsl_workflow.py
cp "$here/in_job_config.py" config.py
"$python" -c 'import sys; from parsl.testing import install_pals_mpiexec; install_pals_mpiexec(sys.argv[1])' bin
uname -n > nodes
# This host plays a node of Aurora with its 208 hardware threads; otherwise it gets a worker for each core.
PATH=$PWD/bin:$PATH PBS_NODEFILE=$PWD/nodes PARSL_CORES=208 \
    step "the workflow inside a job" "$python" my_parsl_workflow.py
check "In a job" ensemble log.txt output

check "Afterwards" processes "$PARSL_DEMO"

headline "All well, in $((SECONDS - began)) s"
printf '%s\n' "${summary[@]}"
echo "Results, logs and the picture (sweep/oscillator.svg): $demo"
