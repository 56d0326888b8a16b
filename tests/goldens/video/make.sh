#!/usr/bin/env bash
# Makes the videos that carry colour flags and those of kinds that are not decoded, with ffmpeg (5.1
# of Debian 12), and what ffmpeg decodes the former to. Run in this folder.
set -euo pipefail
frames=$(mktemp)
trap 'rm -f "$frames"' EXIT
# Frame i is red 40 + 15 i, green 3 x, blue 4 y, with a yellow bar, as README.md says.
python3 - "$frames" <<'PYTHON'
import sys
with open(sys.argv[1], "wb") as out:
    for i in range(12):
        for y in range(48):
            for x in range(64):
                bar = abs(x - (4 + 5 * i)) <= 4 and abs(y - 24) <= 7
                out.write(bytes((240, 240, 30) if bar else (40 + 15 * i, 3 * x, 4 * y)))
PYTHON
encode() { # FILE FORMAT-OF-PIXELS COLOUR-MATRIX RANGE OPTIONS...
    local file=$1 format=$2 matrix=$3 range=$4
    shift 4
    local scale="scale=out_color_matrix=$matrix:out_range=$range"
    ffmpeg -loglevel error -y -f rawvideo -pix_fmt rgb24 -s 64x48 -r 10 -i "$frames" \
        -vf "$scale:sws_flags=accurate_rnd+full_chroma_int" -pix_fmt "$format" "$@" "$file"
}
x264=(-c:v libx264 -crf 12 -g 2 -bf 0)
bt709=(-colorspace bt709 -color_primaries bt709 -color_trc bt709)
encode h264_full_range.mp4 yuv420p bt601 full "${x264[@]}" -color_range pc
encode h264_bt709.mp4 yuv420p bt709 limited "${x264[@]}" "${bt709[@]}"
encode h264_bt709_full_range.mp4 yuv420p bt709 full "${x264[@]}" -color_range pc "${bt709[@]}"
for flagged in h264_full_range h264_bt709 h264_bt709_full_range; do
    ffmpeg -loglevel error -y -i $flagged.mp4 \
        -vf "select=eq(n\,5)" -frames:v 1 -pix_fmt rgb24 $flagged.png
done
encode unsupported_h264_10bit.mp4 yuv420p10le bt601 limited -c:v libx264 -crf 20 -g 2
encode unsupported_h264_422.mp4 yuv422p bt601 limited -c:v libx264 -crf 20 -g 2
encode unsupported_h264_444.mp4 yuv444p bt601 limited -c:v libx264 -crf 20 -g 2
# An odd width and height, which 4:2:0 cannot hold.
encode unsupported_h264_444_odd.mp4 yuv444p bt601 limited -c:v libx264 -crf 20 -g 2 \
    -vf crop=63:47:0:0
encode unsupported_h264_interlaced.mp4 yuv420p bt601 limited -c:v libx264 -crf 20 -g 2 \
    -flags +ildct+ilme
encode unsupported_hevc.mp4 yuv420p bt601 limited -c:v libx265 \
    -x265-params log-level=error -crf 20
encode unsupported_vp9.mp4 yuv420p bt601 limited -c:v libvpx-vp9 -crf 20 -b:v 0
encode unsupported_mp4v.mp4 yuv420p bt601 limited -c:v mpeg4 -q:v 2
encode unsupported_av1_10bit.mp4 yuv420p10le bt601 limited -c:v libaom-av1 -crf 20 \
    -cpu-used 8 -g 2
