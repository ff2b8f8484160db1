#!/bin/bash
# Written by Parsl: {{name}}. This machine ends by itself {{end}}.
export PATH="${PATH:+$PATH:}/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" HOME="${HOME:-/root}"
umask 077
# Looked up before worker_init can change the PATH.
parsl_shutdown=$(command -v shutdown) || echo "parsl: there is no command shutdown: this machine stays up" >&2
nohup bash -c 'sleep "$1"; echo "parsl: the walltime is up"; exec "$2" -h now' walltime {{walltime_s}} "$parsl_shutdown" </dev/null &
# cloud-init runs this script only at the first boot. After another one, nothing else would end the machine.
case $0 in */instance*/scripts/*)
  parsl_per_boot=${0%/instance*/scripts/*}/scripts/per-boot
  mkdir -p "$parsl_per_boot" && printf '#!/bin/sh\nexec "%s" -h now\n' "$parsl_shutdown" >"$parsl_per_boot/parsl"
  chmod 700 "$parsl_per_boot/parsl" ;;
esac
parsl_directory=$(mktemp -d "${TMPDIR:-/tmp}/parsl.XXXXXXXX") && cd "$parsl_directory"
cat >job.sh <<'{{delimiter}}'
printf -v PARSL_BLOCK_STARTED '%(%s)T' -1
export PARSL_BLOCK_STARTED PARSL_BLOCK_WALLTIME_S={{walltime_s}} JOBNAME={{name}}
{{worker_init}}

{{launch}}
{{delimiter}}
bash job.sh </dev/null
echo "{{exit_mark}} $?"
{{shutdown}}
