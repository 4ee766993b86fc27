#!/usr/bin/env bash
# The same photo and poses with several seeds, side by side: which first noise is the best one?
#
#   examples/compare_seeds.sh PHOTO POSES FOLDER [SEED...]     (default: 0 1 2)
#   examples/compare_seeds.sh                                  on media of its own making
set -euo pipefail

options=()
if [ $# -eq 0 ]; then
    export MAGICPOSE_CONSENT=yes # these people are drawn
    media=seeds/media
    [ -e "$media/demo_compare.mp4" ] || magicpose demo -o "$media" --frames 12 --overwrite
    set -- "$media/demo_reference.png" "$media/demo_poses" seeds
    options=(--model mini --fit none)
elif [ $# -lt 3 ]; then
    sed -n '2,5s/^# \{0,1\}//p' "$0" >&2
    exit 2
fi

photo=$1 poses=$2 folder=$3
shift 3
[ $# -gt 0 ] || set -- 0 1 2
mkdir -p -- "$folder"
case $folder in -*) folder=./$folder ;; esac

videos=() labels=()
for seed in "$@"; do
    video=$folder/seed_$seed.mp4
    magicpose animate -o "$video" --seed "$seed" --skip-existing ${options[@]+"${options[@]}"} -- "$photo" "$poses"
    videos+=("$video")
    labels+=(--label "seed $seed")
done

magicpose compare -o "$folder/seeds.mp4" --overwrite --label reference "${labels[@]}" -- "$photo" "${videos[@]}"
