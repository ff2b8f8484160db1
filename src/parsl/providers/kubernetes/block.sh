#!/bin/bash
export JOBNAME={{job_name}} PARSL_NODE_NAMES={{node_names}} PARSL_NODE_RANK=${JOB_COMPLETION_INDEX:-0}
printf -v PARSL_BLOCK_STARTED '%(%s)T' -1  # managers use it, with the walltime, to know when they end
export PARSL_BLOCK_STARTED
export PARSL_BLOCK_WALLTIME_S={{walltime_s}}

{{worker_init}}

{{launch}}
