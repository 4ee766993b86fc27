#!/usr/bin/env bash
# One photo, many drivers: a video for each.
#
#   examples/batch_loop.sh PHOTO FOLDER DRIVER...     drivers: videos, or what else `magicpose animate` takes as POSES
#   examples/batch_loop.sh                            on media of its own making
#   MAGICPOSE_OPTIONS='--preset fast' examples/batch_loop.sh ...
#
# File names may hold spaces, newlines or a leading dash. A driver that fails is told and counted, and the loop goes on
# (exit code 3 at the end); Ctrl-C ends it. Started again with the same words, it skips the videos that are there.
set -euo pipefail

read -r -a options <<<"${MAGICPOSE_OPTIONS:-}"

if [ $# -eq 0 ]; then
    export MAGICPOSE_CONSENT=yes # these people are drawn
    media=batch/media
    for seed in 0 1; do
        [ -e "$media/$seed/demo_compare.mp4" ] || magicpose demo -o "$media/$seed" --seed "$seed" --frames 12 --overwrite
    done
    [ -e "$media/first dance" ] || cp -R "$media/0/demo_poses" "$media/first dance"
    [ -e "$media/second dance" ] || cp -R "$media/1/demo_poses" "$media/second dance"
    set -- "$media/0/demo_reference.png" batch "$media/first dance" "$media/second dance"
    options+=(--model mini --fit none)
elif [ $# -lt 3 ]; then
    sed -n '2,10s/^# \{0,1\}//p' "$0" >&2
    exit 2
fi

photo=$1 folder=$2
shift 2
mkdir -p -- "$folder"
case $folder in -*) folder=./$folder ;; esac

made=0 failed=()
for driver in "$@"; do
    name=${driver%/}
    name=${name##*/}
    # The whole name, so that dance.mp4 and dance.mov do not meet in one file.
    video=$folder/${name//./_}.mp4
    code=0
    magicpose animate -o "$video" --skip-existing ${options[@]+"${options[@]}"} -- "$photo" "$driver" || code=$?
    if [ "$code" -eq 0 ]; then
        made=$((made + 1))
    elif [ "$code" -gt 128 ]; then
        exit "$code" # ended by a signal: the loop ends too
    else
        failed+=("$driver")
    fi
done

printf '%d of %d done\n' "$made" $#
if [ ${#failed[@]} -gt 0 ]; then
    printf 'failed: %q\n' "${failed[@]}" >&2
    exit 3
fi
