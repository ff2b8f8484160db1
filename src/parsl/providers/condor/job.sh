#!/bin/bash
export JOBNAME={{job_name}}

{{worker_init}}

{{launch}}
