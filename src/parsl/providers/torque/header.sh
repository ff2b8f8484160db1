#PBS -S /bin/bash
#PBS -N {{name}}
#PBS -m n
#PBS -q {{queue}}
#PBS -A {{account}}
#PBS -l walltime={{walltime}}
#PBS -l {{resources}}
#PBS -j oe
#PBS -o {{scheduler_output}}
{{scheduler_options}}

