#!/usr/bin/env bash
# From nothing to a first video: the demo's figure and poses, a look at the fit, then a video of one's own.
#
#   examples/quickstart.sh [FOLDER]          (default: quickstart)
#
# Started again, it goes on where it was.
set -euo pipefail
export MAGICPOSE_CONSENT=yes # the demo's people are drawn

folder=${1:-quickstart}
case $folder in -*) folder=./$folder ;; esac

# A reference figure, a driving video with sound, its poses, and the video of them.
[ -e "$folder/demo_compare.mp4" ] || magicpose demo -o "$folder" --overwrite

# One picture: does the pose fit the photo? (--fit none: the demo's figures have one build.)
magicpose preview "$folder/demo_reference.png" "$folder/demo_poses" -o "$folder/look.png" --fit none --overwrite

# Another video of the same two, quickly, with the side-by-side beside it.
magicpose animate "$folder/demo_reference.png" "$folder/demo_poses" -o "$folder/fast.mp4" \
    --model mini --preset fast --fit none --compare --skip-existing

printf 'look at %s\n' "$folder/demo_compare.mp4" "$folder/look.png" "$folder/fast.mp4"
