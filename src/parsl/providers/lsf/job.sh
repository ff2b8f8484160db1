#!/bin/bash
#BSUB -J {{name}}
#BSUB -W {{walltime}}
#BSUB -o {{scheduler_output}}
#BSUB -P {{project}}
#BSUB -q {{queue}}
#BSUB -nnodes {{nodes}}
#BSUB -n {{cores_per_block}}
#BSUB -R "span[ptile={{cores_per_node}}]"
{{scheduler_options}}

# LSF hands over what a job writes only when the job has ended; here it can be read at once.
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
