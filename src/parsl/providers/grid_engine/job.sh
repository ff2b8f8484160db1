#!/bin/bash
#$ -S /bin/bash
#$ -N {{name}}
#$ -cwd
#$ -j y
#$ -o {{scheduler_output}}
#$ -l h_rt={{walltime}}
#$ -q {{queue}}
{{scheduler_options}}

# The paths that Grid Engine can write to are not all there are.
parsl_stdout={{stdout}}
parsl_stderr={{stderr}}
if { : >>"$parsl_stdout" && : >>"$parsl_stderr"; } 2>/dev/null; then
    exec >>"$parsl_stdout" 2>>"$parsl_stderr"
else
    echo "parsl: cannot write to $parsl_stdout on $(hostname): is its directory shared?" >&2
fi
export JOBNAME={{job_name}}
printf -v PARSL_BLOCK_STARTED '%(%s)T' -1  # with the walltime it tells managers when they end
export PARSL_BLOCK_STARTED PARSL_BLOCK_WALLTIME_S={{walltime_s}}
parsl_exit={{exit}}
trap '{ echo "$?" >"$parsl_exit"; } 2>/dev/null' EXIT  # seen sooner than the scheduler tells

{{worker_init}}

{{launch}}
