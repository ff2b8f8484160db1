#$ -S /bin/bash
#$ -N {{name}}
#$ -cwd
#$ -j y
#$ -o {{scheduler_output}}
#$ -l h_rt={{walltime}}
#$ -q {{queue}}
{{scheduler_options}}

