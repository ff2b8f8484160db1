#!/bin/bash
# Written by Parsl: on this machine, the command shutdown first deletes the machine, because Azure bills one that is only stopped.
parsl_bin=$(mktemp -d "${TMPDIR:-/tmp}/parsl-bin.XXXXXXXX")
parsl_real_shutdown=$(PATH="${PATH:+$PATH:}/usr/sbin:/sbin" command -v shutdown)
cat >"$parsl_bin/shutdown" <<'PARSL_SHUTDOWN'
#!/bin/bash
get() { curl --silent --fail --max-time 30 --retry 3 --noproxy '*' --header Metadata:true "http://169.254.169.254/metadata/$1"; }
id=$(get 'instance/compute/resourceId?api-version=2021-02-01&format=text')
token=$(get 'identity/oauth2/token?api-version=2018-02-01&resource={{resource}}&msi_res_id={{identity}}' |
    sed 's/.*"access_token" *: *"\([^"]*\)".*/\1/')
# The header comes from standard input, as others can read command lines.
echo "Authorization: Bearer $token" |
    curl --silent --show-error --fail --max-time 60 --retry 3 --request DELETE --header @- \
        "{{endpoint}}$id?api-version=2024-07-01&forceDeletion=true" ||
    echo "parsl: this machine could not delete itself: it is billed until another program deletes it" >&2
# The real one can be systemctl, which looks at its name.
exec -a shutdown "$(dirname "$0")/real" "$@"
PARSL_SHUTDOWN
chmod 700 "$parsl_bin/shutdown"
ln -s "$parsl_real_shutdown" "$parsl_bin/real"
export PATH="$parsl_bin:$PATH"

{{script}}
