#!/bin/bash
#PBS -S /bin/bash
#PBS -N {{name}}
#PBS -m n
#PBS -q {{queue}}
#PBS -A {{account}}
#PBS -l walltime={{walltime}}
#PBS -l nodes={{nodes}}:ppn={{tasks_per_node}}
#PBS -j oe
#PBS -o {{scheduler_output}}
{{scheduler_options}}

# Torque hands over what a job writes only when the job has ended; here it can be read at once.
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
