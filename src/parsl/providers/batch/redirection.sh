# The output goes to these files directly: schedulers may deliver it only after the job has ended.
parsl_stdout={{stdout}}
parsl_stderr={{stderr}}
if { : >>"$parsl_stdout" && : >>"$parsl_stderr"; } 2>/dev/null; then
    exec >>"$parsl_stdout" 2>>"$parsl_stderr"
else
    echo "parsl: cannot write to $parsl_stdout on $(hostname): is its directory shared?" >&2
fi
