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

{{worker_init}}

{{launch}}
