#!/bin/bash
{{header}}
{{redirection}}
export JOBNAME={{job_name}}
printf -v PARSL_BLOCK_STARTED '%(%s)T' -1  # managers use it, with the walltime, to know when they end
export PARSL_BLOCK_STARTED PARSL_BLOCK_WALLTIME_S={{walltime_s}}
parsl_exit={{exit}}
trap '{ echo "$?" >"$parsl_exit"; } 2>/dev/null' EXIT  # the driver sees it before the scheduler reports
export PARSL_MEMORY_GB={{memory_gb}}
export PARSL_CORES={{cores}}

{{worker_init}}

{{launch}}
