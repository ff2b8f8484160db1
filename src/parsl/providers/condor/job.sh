#!/bin/bash
export JOBNAME={{job_name}}
printf -v PARSL_BLOCK_STARTED '%(%s)T' -1  # with the walltime it tells managers when they end
export PARSL_BLOCK_STARTED PARSL_BLOCK_WALLTIME_S={{walltime_s}}
parsl_exit={{exit}}
trap '{ echo "$?" >"$parsl_exit"; } 2>/dev/null' EXIT  # seen sooner than the scheduler tells

{{worker_init}}

{{launch}}
