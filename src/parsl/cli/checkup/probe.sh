# Before and after worker_init, which is put in between. Writes records of three, each ended by a zero byte,
# to the file that is the first of parsl_words; the others are the launcher's program, the driver's Python,
# and the directory that has its Parsl.
exec 9>"${parsl_words[0]}"
parsl_python_before=$(type -P python || type -P python3)

# A function that fails is to be named as it was called (`module load x`), not for what failed inside, which is
# BASH_COMMAND then; so commands are noted when they begin, and the call of this function is one of them.
# Nothing is said of the insides of scripts that worker_init sources.
parsl_note_failure() {
    [ "$2" -gt 1 ] || printf 'failed\0%s\0%s\0' "$1" "$parsl_previous" >&9
}
trap 'parsl_previous=$parsl_command parsl_command=$BASH_COMMAND' DEBUG
trap 'parsl_note_failure "$?" "${#BASH_SOURCE[@]}"' ERR

# --- worker_init ---
trap - ERR DEBUG
set +eu

parsl_record() {
    printf '%s\0%s\0%s\0' "$1" "$2" "$3" >&9
}

# What a Python says of its Parsl; the driver's own finds it where the driver has it.
parsl_ask_python() {
    "$1" -c 'import sys
sys.path += sys.argv[1:]
import parsl.version, msgspec
print("parsl", parsl.version.VERSION, "%d.%d" % sys.version_info[:2])' "${@:2}" 2>&1 9>&- </dev/null | tail -n 1
}

parsl_record end "" ""
parsl_record hierarchy "$ZE_FLAT_DEVICE_HIERARCHY" ""
if [ -n "${parsl_words[1]}" ]; then
    parsl_record program "$(type -P "${parsl_words[1]}")" ""
fi
parsl_python=${parsl_words[2]}
parsl_record worker_pool "$(PATH=$PATH:${parsl_python%/*} type -P process_worker_pool.py)" ""
parsl_record own_python "$parsl_python" "$(parsl_ask_python "$parsl_python" "${parsl_words[3]}")"
parsl_python=$(type -P python || type -P python3)
parsl_record python_before "$parsl_python_before" ""
if [ -n "$parsl_python" ]; then
    parsl_record found_python "$parsl_python" "$(cd / && parsl_ask_python "$parsl_python")"
fi
exit 0
