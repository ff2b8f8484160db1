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

