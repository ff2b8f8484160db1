#BSUB -J {{name}}
#BSUB -W {{walltime}}
#BSUB -o {{scheduler_output}}
#BSUB -P {{project}}
#BSUB -q {{queue}}
#BSUB -nnodes {{nodes}}
#BSUB -n {{cores_per_block}}
#BSUB -R "span[ptile={{cores_per_node}}]"
{{scheduler_options}}

