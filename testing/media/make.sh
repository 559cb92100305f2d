#!/bin/sh
# Makes the clips and the tone that `conclave bot` publishes. Needs ffmpeg with libvpx and libopus, and Python 3.
# Output depends on the encoder's version, so the results are committed.
set -eu
cd "$(dirname "$0")"

seconds=4
fps=15

# A saturated background, so that a test can tell who is seen by one pixel, and a white block that crosses
# the picture once a loop, so that it can tell a moving picture from a frozen one.
clip() { # colour rgb rid width height kbps
    block=$(($5 / 5))
    ffmpeg -y -loglevel error \
        -f lavfi -i "color=c=$2:s=${4}x$5:r=$fps:d=$seconds" \
        -f lavfi -i "color=c=white:s=${block}x$block:r=$fps:d=$seconds" \
        -filter_complex "overlay=x='(W-w)*t/$seconds':y='(H-h)/2+(H-h)/3*sin(2*PI*t/$seconds)',format=yuv420p" \
        -c:v libvpx -deadline good -cpu-used 0 -b:v "$6k" -maxrate "$6k" -bufsize "$6k" \
        -auto-alt-ref 0 -lag-in-frames 0 -error-resilient 1 \
        -g $fps -keyint_min $fps -flags +bitexact -fflags +bitexact -map_metadata -1 \
        "$1-$3.ivf"
}

for colour in red:0xd01020 green:0x10a030 blue:0x1030d0; do
    name=${colour%%:*} rgb=${colour#*:}
    clip "$name" "$rgb" q 320 180 50
    clip "$name" "$rgb" h 640 360 90
    clip "$name" "$rgb" f 1280 720 160
done

# One second holds 440 whole waves, so the loop has no click.
ffmpeg -y -loglevel error -f lavfi -i "sine=frequency=440:sample_rate=48000:duration=3" \
    -af "volume=6dB" -ac 1 -c:a libopus -b:a 24k -vbr off -frame_duration 20 -application audio \
    -flags +bitexact -fflags +bitexact -map_metadata -1 tone.ogg
python3 - <<'PY'
"""Takes the Opus packets of one second out of their Ogg pages (RFC 3533) and writes them as IVF."""
import pathlib, struct

data, packets, packet = pathlib.Path("tone.ogg").read_bytes(), [], b""
at = 0
while at < len(data):
    assert data[at : at + 4] == b"OggS"
    lacing = data[at + 27 : at + 27 + data[at + 26]]
    at += 27 + len(lacing)
    for size in lacing:
        packet += data[at : at + size]
        at += size
        if size < 255:
            packets.append(packet)
            packet = b""
# Two headers, then one second for the encoder to settle.
frames = packets[2 + 50 : 2 + 100]
assert len(frames) == 50
with open("tone.ivf", "wb") as out:
    out.write(struct.pack("<4sHH4sHHIIII", b"DKIF", 0, 32, b"OPUS", 0, 0, 50, 1, len(frames), 0))
    for number, frame in enumerate(frames):
        out.write(struct.pack("<IQ", len(frame), number) + frame)
PY
rm tone.ogg
ls -l *.ivf
