#!/bin/bash
#SBATCH --job-name={{name}}
#SBATCH --output={{output}}
#SBATCH --error={{error}}
#SBATCH --open-mode=append
#SBATCH --nodes={{nodes}}
#SBATCH --time={{walltime}}
#SBATCH --ntasks-per-node={{tasks_per_node}}
#SBATCH --exclusive{{exclusive}}
#SBATCH --partition={{partition}}
#SBATCH --account={{account}}
#SBATCH --qos={{qos}}
#SBATCH --constraint={{constraint}}
#SBATCH --clusters={{clusters}}
#SBATCH --gpus-per-node={{gpus_per_node}}
#SBATCH --gres={{gres}}
#SBATCH --mem={{mem}}
#SBATCH --cpus-per-task={{cpus_per_task}}
{{scheduler_options}}

export JOBNAME={{job_name}}
printf -v PARSL_BLOCK_STARTED '%(%s)T' -1  # with the walltime it tells managers when they end
export PARSL_BLOCK_STARTED PARSL_BLOCK_WALLTIME_S={{walltime_s}}
parsl_exit={{exit}}
trap '{ echo "$?" >"$parsl_exit"; } 2>/dev/null' EXIT  # seen sooner than the scheduler tells
export PARSL_MEMORY_GB={{mem_per_node}}
export PARSL_CORES={{cores_per_node}}

{{worker_init}}

{{launch}}
