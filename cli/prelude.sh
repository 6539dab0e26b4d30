#!/bin/sh
''':'
# daypass, the helper: one file that is a shell script and a Python script at once. Below is the shell's part, which
# Python takes for a string (so: no backslash, and never three single quotes). It answers `credentials ARN` and
# `exec ARN -- CMD` by itself while a fresh answer is in the cache, without starting another program; whatever is
# odd, old or another's goes to Python. Names begin with dp_, so that no variable of the caller is changed for CMD.
dp_url='@URL@' dp_key='@KEY@' dp_arn='' dp_run=''
case ${1-} in
credentials)
  case $# in
  2) dp_arn=$2 ;;
  3) case $2 in --login) dp_arn=$3 ;; *) case $3 in --login) dp_arn=$2 ;; esac ;; esac ;;
  esac ;;
exec)
  case ${3-} in --) dp_arn=$2 dp_run=${4-} ;; esac
  case $dp_run in ''|-*|daypass|*/daypass) dp_arn='' ;; esac ;;
esac
case $dp_arn in *[!A-Za-z0-9:/+=,.@_-]*) dp_arn='' ;; esac
case ${DAYPASS_URL:-$dp_url} in "$dp_url") ;; *) dp_arn='' ;; esac
case ${HOME-} in /*) ;; *) dp_arn='' ;; esac
case $dp_arn in arn:*)
  if [ -d /System/Library/CoreServices ]; then
    dp_top=$HOME/Library/Caches/daypass
  else
    case ${XDG_CACHE_HOME-} in /*) dp_top=$XDG_CACHE_HOME/daypass ;; *) dp_top=$HOME/.cache/daypass ;; esac
  fi
  case ${XDG_CONFIG_HOME-} in /*) dp_conf=$XDG_CONFIG_HOME ;; *) dp_conf=$HOME/.config ;; esac
  dp_conf=$dp_conf/daypass/config
  # A folder of our own, not by way of a link: nobody else has put anything there since Python made it (0700).
  [ -O "$dp_top" ] && [ ! -h "$dp_top" ] && [ -O "$dp_top/pass" ] && [ ! -h "$dp_top/pass" ] && {
    if [ -z "$dp_key" ] && [ "$dp_top/pass/default" -nt "$dp_conf" ] && [ ! -h "$dp_top/pass/default" ]; then
      IFS= read -r dp_key <"$dp_top/pass/default"
    fi
    dp_pass=$dp_top/pass/${dp_key:-none}
    dp_file=$dp_arn
    while :; do
      case $dp_file in
      */*) dp_file="${dp_file%%/*}!${dp_file#*/}" ;;
      *:*) dp_file="${dp_file%%:*};${dp_file#*:}" ;;
      *) break ;;
      esac
    done
    dp_file=$dp_pass/$dp_file~
    # The time, without starting `date`: a file written to just now. The answer must be newer (its mtime is when to
    # renew it), the folder older (or the clock has gone back), and the settings those that it was written under.
    [ -O "$dp_pass" ] && [ ! -h "$dp_pass" ] && [ -O "$dp_file" ] && [ -f "$dp_file" ] && [ ! -h "$dp_file" ] &&
    [ -f "$dp_pass/current" ] && { [ ! -e "$dp_conf" ] || [ "$dp_pass/current" -nt "$dp_conf" ]; } &&
    [ ! -h "$dp_top/now" ] && { echo >"$dp_top/now"; } 2>/dev/null &&
    [ "$dp_file" -nt "$dp_top/now" ] && [ ! "$dp_pass" -nt "$dp_top/now" ] && {
      IFS= read -r dp_json && IFS= read -r dp_id && IFS= read -r dp_secret && IFS= read -r dp_token &&
      IFS= read -r dp_end && IFS= read -r dp_times
    } <"$dp_file" && case $dp_json in '{"Version": 1, '*'}')
      if [ -z "$dp_run" ]; then
        printf '%s
' "$dp_json"
        exit
      fi
      IFS= read -r dp_region <"$dp_pass/current" && command -v "$dp_run" >/dev/null && {
        shift 3
        unset AWS_PROFILE AWS_DEFAULT_PROFILE AWS_SECURITY_TOKEN
        export AWS_ACCESS_KEY_ID="$dp_id" AWS_SECRET_ACCESS_KEY="$dp_secret" AWS_SESSION_TOKEN="$dp_token"
        export AWS_CREDENTIAL_EXPIRATION="$dp_end"
        [ -z "$dp_region" ] || [ ! -e "$dp_conf" ] || export AWS_REGION="$dp_region" AWS_DEFAULT_REGION="$dp_region"
        exec "$@"
      } ;;
    esac
  } ;;
esac
command -v python3 >/dev/null || {
  echo "daypass: There is no python3 here; the helper needs Python 3.9 or later. Install it and try again." >&2
  exit 7
}
exec python3 -I -S "$0" "$@"
'''
