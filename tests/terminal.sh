#!/usr/bin/env bash
# The program at a terminal, on a folder with everything wrong that people have. usage: terminal.sh BUILD_FOLDER
# shellcheck source=tests/command_line.sh
source "$(dirname "$0")/command_line.sh"
chmod 755 .

"$build/bin/dicube_phantom" scan --slices 6 --size 48
source=$(dirname "$(find scan -name IM00001.dcm)")

# Floods: one kind of trouble, a few names and a count; JSON keeps each.
mkdir -p cut/series empty
cp "$source"/*.dcm cut/series
for i in $(seq 300); do head -c $((200 + i)) "$source/IM00001.dcm" >cut/c$i.dcm; done
expect_exit 1 "$dicube" pack cut -o flood --json
[[ $(wc -l <err) -le 12 ]] || fail "a flood of $(wc -l <err) lines: $(head -20 err)"
grep -q 'more for the same reason' err || fail "the flood is not counted: $(cat err)"
[[ $(grep -c '^{"error"' out) -ge 290 ]] || fail "JSON lost errors: $(grep -c '^{"error"' out)"
expect_exit 0 "$dicube" pack cut --all -o all
[[ $(wc -l <err) -le 6 ]] || fail "findings flood: $(cat err)"

# Quiet is quiet; what was asked for still comes.
expect_exit 0 "$dicube" pack scan -o one.dcbs -q
[[ ! -s out && ! -s err ]] || fail "pack -q says: $(cat out err)"
expect_exit 0 "$dicube" verify one.dcbs -q
[[ ! -s out && ! -s err ]] || fail "verify -q says: $(cat out err)"
expect_exit 0 "$dicube" unpack one.dcbs -o quiet -q
[[ ! -s out && ! -s err ]] || fail "unpack -q says: $(cat out err)"
expect_exit 0 "$dicube" ls one.dcbs -q
[[ $(wc -l <out) == 6 ]] || fail "ls -q does not list"
expect_exit 1 "$dicube" pack scan -o one.dcbs -q
grep -q -- '--on-conflict' err || fail "the conflict does not say how to decide it: $(cat err)"

# Names that a terminal would obey, and names that are no UTF-8.
mkdir odd odd/hollow
cp "$source/IM00001.dcm" odd/$'new\nline'
cp "$source/IM00002.dcm" odd/$'caf\xe9'
cp "$source/IM00003.dcm" odd/$'\e[2Jclear'
expect_exit 0 "$dicube" pack --all odd -o odd-archives
grep -q 'other.dcbs: 0 files, 1 empty folder, 0 B -> [0-9]* B, no frames' out || fail "a share of nothing: $(cat out)"
expect_exit 0 "$dicube" ls odd-archives/1*.dcbs
[[ $(wc -l <out) == 3 ]] || fail "a name broke a line: $(cat -v out)"
! grep -q $'\e' out || fail "a name commands the terminal"
expect_exit 0 "$dicube" ls odd-archives/1*.dcbs --json
python3 -c '
import json
names = [(l["name"], bytes.fromhex(l["name_hex"]) if "name_hex" in l else l["name"].encode()) for l in map(json.loads, open("out"))]
assert sorted(b for _, b in names) == sorted([b"new\nline", b"caf\xe9", b"\x1b[2Jclear"]), names' || fail "JSON names: $(cat out)"
expect_exit 0 "$dicube" unpack odd-archives -o odd-back
diff -r odd odd-back || fail "odd names did not come back"
# Folders are counted alike.
expect_exit 0 "$dicube" verify odd-archives/other.dcbs
cp out verified
expect_exit 0 "$dicube" unpack odd-archives/other.dcbs -o odd-other
grep -q ' 0 files, 1 empty folder,' verified && grep -q ' 0 files, 1 empty folder,' out || fail "counts differ: $(cat verified out)"

# Pictures.
expect_exit 2 "$dicube" thumb one.dcbs -o t.png --window 40,0
grep -q 'width' err || fail "thumb --window 40,0: $(cat err)"
expect_exit 2 "$dicube" thumb one.dcbs -o t.png --frame 1 --montage
expect_exit 2 "$dicube" thumb one.dcbs -o t.gif
[[ ! -e t.gif ]] || fail "a PNG under another name"
expect_exit 0 "$dicube" thumb one.dcbs -o t.JPG
[[ $(head -c 3 t.JPG | od -An -tx1) == ' ff d8 ff' && $(stat -c %s t.JPG) -le 10000 ]] || fail "no small JPEG"
expect_exit 0 "$dicube" thumb one.dcbs -o t.png -q
expect_exit 0 "$dicube" thumb one.dcbs -o -
cmp out t.png || fail "thumb -o - is another picture"
for command in "pack scan" "unpack one.dcbs" "convert one.dcbs"; do
  expect_exit 2 "$dicube" $command -o -
  grep -q 'standard output' err && [[ ! -e - ]] || fail "$command -o -: $(cat err)"
done
expect_exit 0 "$dicube" thumb one.dcbs -o t.png
expect_exit 1 "$dicube" thumb one.dcbs -o t.png --on-conflict error
grep -q 'exists already' err || fail "thumb onto a file: $(cat err)"
expect_exit 4 "$dicube" thumb one.dcbs -o /proc/t.png

# No numbers among floating-point pixels, as outside of a body, take nothing from the picture of the others.
cat >maps.py <<'PYTHON'
import struct, sys, zlib
def element(tag, vr, value):
    return struct.pack("<HH2s", tag >> 16, tag & 0xFFFF, vr) + (struct.pack("<HI", 0, len(value)) if vr in (b"OF", b"OW", b"SQ") else struct.pack("<H", len(value))) + value
def number(tag, value): return element(tag, b"US", struct.pack("<H", value))
def write(name, bits, *elements):
    elements += number(0x00280002, 1), number(0x00280010, 64), number(0x00280011, 64), number(0x00280100, bits)
    meta = element(0x00020010, b"UI", b"1.2.840.10008.1.2.1\0")
    open(name, "wb").write(bytes(128) + b"DICM" + element(0x00020000, b"UL", struct.pack("<I", len(meta))) + meta + element(0x0020000E, b"UI", b"1.2.3\0")
        + b"".join(sorted(elements, key=lambda element: struct.unpack("<HH", element[:4]))))
values = [float("nan") if i % 2 else i for i in range(64 * 64)]
write("map.dcm", 32, element(0x7FE00008, b"OF", struct.pack("<4096f", *values)))
def pixels(values): return element(0x7FE00010, b"OW", struct.pack(f"<{len(values)}H", *values))
def item(*elements): return struct.pack("<HHI", 0xFFFE, 0xE000, len(b"".join(elements))) + b"".join(elements)
def lut(count, table):
    return element(0x00283000, b"SQ", item(element(0x00283002, b"US", struct.pack("<3H", count, 10, 16)), element(0x00283006, b"OW", table)))
table, stored = [7, 3000, 500, 60000, 0], [i * i % 19 for i in range(64 * 64)]
write("lut.dcm", 16, lut(5, struct.pack("<5H", *table)), pixels(stored))
write("looked-up.dcm", 16, pixels([table[min(max(value - 10, 0), 4)] for value in stored]))
write("empty-lut.dcm", 16, element(0x00283000, b"SQ", item(element(0x00283002, b"US", b""), element(0x00283006, b"US", b""))), pixels(stored))
write("plain.dcm", 16, pixels(stored))
for name, entries in ("no-lut", 2), ("half-lut", 3): write(name + ".dcm", 16, lut(5, struct.pack(f"<{entries}H", *table[:entries])), pixels(stored))
def frames(name, factor, values):
    group = [item(element(0x00289145, b"SQ", item(element(0x00281052, b"DS", b"-9"), element(0x00281053, b"DS", slope)))) for slope in (b"1 ", factor)]
    write(name, 16, element(0x00280008, b"IS", b"2 "), element(0x52009230, b"SQ", b"".join(group)), pixels(stored + values))
frames("factors.dcm", b"3 ", stored)
frames("multiplied.dcm", b"1 ", [3 * value for value in stored])
PYTHON
python3 maps.py
expect_exit 0 "$dicube" pack map.dcm -o map.dcbs
expect_exit 0 "$dicube" thumb map.dcbs -o map.png
python3 -c '
import struct, zlib
data, at, packed = open("map.png", "rb").read(), 8, b""
while at < len(data):
    size = struct.unpack(">I", data[at : at + 4])[0]
    packed += data[at + 8 : at + 8 + size] if data[at + 4 : at + 8] == b"IDAT" else b""
    at += 12 + size
assert len(set(zlib.decompress(packed))) > 4' || fail "a map with values that are no numbers is one shade"
# The values of a Modality LUT are those that are shown, and those of a frame's own factors.
for name in lut looked-up empty-lut plain no-lut half-lut factors multiplied; do expect_exit 0 "$dicube" pack $name.dcm -o $name.dcbs; done
for how in "--size 64" "--window 400,1000 --size 20"; do
  for name in lut looked-up; do expect_exit 0 "$dicube" thumb $name.dcbs -o $name.png $how; done
  cmp lut.png looked-up.png || fail "thumb $how of an image with a Modality LUT"
done
for name in empty-lut plain; do expect_exit 0 "$dicube" thumb $name.dcbs -o $name.png; done  # an item without a table, as LEADTOOLS writes
cmp empty-lut.png plain.png || fail "thumb of an image with an empty Modality LUT"
for name in factors multiplied; do expect_exit 0 "$dicube" thumb $name.dcbs -o $name.png --frame 1 --window 20,60; done
cmp factors.png multiplied.png || fail "thumb of a frame with factors of its own"
for name in no-lut half-lut; do
  expect_exit 3 "$dicube" thumb $name.dcbs -o $name.png
  grep -q "frame 0: a Modality LUT of [0-9]* entries, where 5 are promised" err || fail "a LUT that is none: $(cat err)"
done

# Progress on a terminal only.
expect_exit 0 "$dicube" pack scan -o piped
! grep -q 'scanning\|packing' out err || fail "progress on a pipe"
if script -qec true /dev/null >/dev/null 2>&1; then
  script -qec "$dicube check scan" /dev/null >out </dev/null
  grep -q 'scanning 6 of 6 files' out || fail "check says nothing of its progress: $(cat -v out)"
  cp one.dcbs piped/two.dcbs
  script -qec "$dicube verify piped" /dev/null >out </dev/null
  grep -q 'verifying [01] of 2 archives' out || fail "progress of several archives: $(cat -v out)"
  script -qec "$dicube pack scan -o at-terminal" /dev/null >out </dev/null
  for phase in scanning packing proving; do grep -q "$phase [0-9]" out || fail "no $phase on a terminal: $(cat -v out)"; done
  script -qec "stty cols 14; $dicube pack scan -o at-narrow-terminal" /dev/null >out </dev/null
  tr '\r' '\n' <out | sed 's/^\x1B\[K//' | grep -qx 'scanning 6 of' || fail "a line that a narrow terminal breaks: $(cat -v out)"
  script -qec "TERM=dumb $dicube pack scan -o at-dumb-terminal" /dev/null >out </dev/null
  ! grep -q $'\e\|scanning' out || fail "codes for a terminal that has none: $(cat -v out)"
fi

# A target that takes no more ends the whole, once.
if [[ -w /dev/full ]] && [[ $(id -u) == 0 ]] && mkdir small && mount -t tmpfs -o size=16k tmpfs small 2>/dev/null; then
  got=0
  "$dicube" unpack one.dcbs -o small/x --transfer-syntax explicit >out 2>err || got=$?
  "$dicube" unpack odd-archives one.dcbs -o small/y >out2 2>err2 || got=$got-$?
  "$build/bin/dicube_phantom" apart --slices 4 --size 128
  names=(a1 b2c d3e4 f) # with digits at other places
  for i in 1 2 3 4; do "$dicube" pack "$(find apart -name IM0000$i.dcm)" -o "apart/${names[i - 1]}.dcbs" -q; done
  "$dicube" unpack apart -o small/z --transfer-syntax explicit >out3 2>err3 || got=$got-$?
  "$dicube" unpack apart -o small/z --transfer-syntax explicit --json >out4 2>err4 || got=$got-$?
  for i in 1 2 3; do "$build/bin/dicube_phantom" three/$i --slices 1 --size 256 --seed $i; done
  "$dicube" pack three -o small/packed -j 1 --json >out5 2>err5 || got=$got-$?
  rm -r small/*
  "$build/bin/dicube_phantom" apart/tiny --slices 1 --size 32
  "$dicube" pack apart/tiny -o apart/tiny.dcbs -q
  "$dicube" unpack apart -o small/w --json >out6 2>err6 || got=$got-$?
  [[ $(find small -type f) == small/w/* ]] || fail "written is another thing than what fits: $(find small -type f)"
  mkdir -p below/on/other && cp -r three/1 below/on/other/one
  "$dicube" pack below -o below.dcbs -q && mkdir small/on small/on/other && mount -t tmpfs -o size=16m tmpfs small/on/other
  "$dicube" unpack below.dcbs -o small -q 2>err7 || got=$got-$?
  umount small/on/other small
  [[ $got == 4-4-4-4-4-4 ]] || fail "a full disk: exit codes $got: $(cat err7)"
  for out in out4 out5; do # an object for each that had no turn
    told=$(sed -n 's/^dicube: stopped: \([0-9]*\) further archives not tried.*/\1/p' "${out/out/err}")
    [[ $told -ge 2 && $(grep -c '"class":"stopped","file":"[^"]*dcbs","message":"not tried' $out) == "$told" ]] ||
      fail "JSON says another thing of what was not tried: $(cat $out ${out/out/err})"
  done
  grep -q '"class":"io","file":"apart/a1.dcbs","message":"no space for its files in small/w: they take [0-9]* bytes, and [0-9]* are free"' out6 ||
    fail "what takes more than is free: $(cat out6)"
  grep -q '^dicube: ... and 1 more for the same reason: no space for its files in small/w: ' err6 || fail "a reason is another one for each archive: $(cat err6)"
  grep -q '0 files, .*; FAILED: 1 file$' out3 || fail "what failed is not counted: $(cat out3)"
  [[ $(grep -c 'No space left' err3) == 1 ]] && grep -q '^dicube: stopped: 3 further archives not tried$' err3 &&
    grep -q '^0 archives, .*; FAILED: 1 file of 1 archive; 3 archives not tried$' err3 || fail "archives of one file each, onto a full disk: $(cat err3)"
  [[ $(grep -c 'No space left' err) == 1 ]] || fail "a full disk, once: $(cat err)"
  grep -q 'stopped' err || fail "stopped, but does not say so: $(cat err)"
fi

# Somebody without rights: a few lines and exit code 1, the readable rest packed.
if [[ $(id -u) == 0 ]] && command -v setpriv >/dev/null; then
  mkdir locked locked/closed && cp "$source"/*.dcm locked
  for i in $(seq 300); do cp "$source/IM00001.dcm" locked/secret$i.dcm; done
  chmod 0 locked/secret* locked/closed
  mkdir -m 777 theirs
  expect_exit 1 setpriv --reuid=65534 --regid=65534 --clear-groups "$dicube" pack locked -o theirs
  [[ $(wc -l <err) -le 6 ]] || fail "a flood of permissions: $(head -20 err)"
  [[ $(ls theirs/*.dcbs | wc -l) == 1 ]] || fail "what can be read was not packed"
  mkdir -p kept/a kept/closed kept/z && cp one.dcbs kept/a && cp one.dcbs kept/z && chmod 0 kept/closed
  mkdir -m 755 ours thrice
  for i in 1 2 3; do cp one.dcbs thrice/$i.dcbs; done
  for target in ours ours/not/there; do # one error ends the whole
    expect_exit 4 setpriv --reuid=65534 --regid=65534 --clear-groups "$dicube" unpack thrice -o $target --json
    [[ $(grep -c 'Permission denied$' err) == 1 && $(grep -c '"class":"io","file":"ours' out) == 1 ]] || fail "a target that may not be written: $(cat out err)"
  done
  expect_exit 0 "$dicube" unpack one.dcbs -o ours
  expect_exit 0 setpriv --reuid=65534 --regid=65534 --clear-groups "$dicube" unpack thrice -o ours --on-conflict skip
  for command in verify check; do
    expect_exit $([[ $command == verify ]] && echo 4 || echo 1) setpriv --reuid=65534 --regid=65534 --clear-groups "$dicube" $command -r kept
    grep -q "kept/closed: can't open the folder: Permission denied" err || fail "$command -r does not name a closed folder: $(cat err)"
    [[ $(wc -l <out) == 2 ]] || fail "a closed folder keeps the others from $command: $(cat out)"
  done
fi

# Ctrl-C ends in order, and the exit code says which signal it was. The large scan takes longer than the signal, mostly: where it was
# done first, again.
"$build/bin/dicube_phantom" large --slices 160 --size 512
for signal in INT:130 TERM:143; do
  for _ in 1 2 3 4 5; do
    got=0
    rm -rf interrupted
    env --default-signal=INT,TERM "$dicube" pack large -o interrupted -j 1 --json >out 2>err &
    sleep 0.1
    kill -s "${signal%:*}" $! || true
    wait $! || got=$?
    [[ $got == 0 ]] || break
  done
  [[ $got == "${signal#*:}" ]] || fail "SIG${signal%:*}: exit code $got, $(cat err)"
  [[ -z $(find interrupted -type f 2>/dev/null) ]] || fail "something half-written stays"
  ! grep -q 'cancelled' err || grep -q '^{"error":{"class":"stopped"' out || fail "SIG${signal%:*}: JSON calls it $(cat out)"
done

# Standard streams that are closed or full: nothing of what is said may end in a file, and the work is done all the same.
mkdir several
for i in $(seq 8); do "$build/bin/dicube_phantom" several/$i --slices 2 --size 32 --seed $i; done
"$build/bin/dicube_phantom" messy --slices 3 --size 32 --messy
for _ in 1 2 3; do
  got=0
  rm -rf closed
  "$dicube" pack several -o closed -j 2 <&- >&- 2>&- || got=$?
  [[ $got == 4 ]] || fail "closed streams: exit code $got"
  expect_exit 0 "$dicube" verify closed
  [[ $(grep -c 'all well' out) == 8 ]] || fail "an archive of closed streams is missing: $(cat out)"
done
got=0
"$dicube" pack --all messy -o unheard >out 2>&- || got=$?
[[ $got == 0 && $(wc -l <out) == 3 ]] || fail "closed standard error: exit code $got, $(cat out)"
got=0
"$dicube" unpack unheard -o unheard >out 2>/dev/full || got=$?
[[ $got == 0 ]] || fail "full standard error: exit code $got, $(cat out)"
diff -r -x '*.dcbs' messy unheard || fail "what came back is another tree"
for line in "--version" "--help" "pack --help" "help" "dump one.dcbs" "cat one.dcbs --instance 0"; do
  got=0
  "$dicube" $line >/dev/full 2>err || got=$?
  [[ $got == 4 && $(cat err) == "dicube: standard output can't be written" ]] || fail "$line, onto a full disk: exit code $got, $(cat err)"
done

# Nobody reads what is said: the work is done. A limit of the shell is no death without a word.
got=0
env --default-signal=PIPE "$dicube" pack several -o unread -j 1 2>err | true || got=${PIPESTATUS[0]}
[[ $got == 4 && $(ls unread | wc -l) == 8 ]] || fail "a closed pipe: exit code $got, $(ls unread | wc -l) of 8 archives"
got=0
(ulimit -f 4 && exec "$dicube" pack scan -o limited) >out 2>err || got=$?
[[ $got == 4 && -z $(find limited -type f) ]] && grep -q "can't write: File too large" err || fail "a limit of the size of files: exit code $got, $(cat err)"

# What no memory holds costs itself alone, and is named.
if ! grep -qE "__[at]san_init" "$dicube"; then # whose own memory is beyond any limit
  mkdir huge && cp "$source"/*.dcm huge && cat huge/*.dcm >huge/image && truncate -s 40G huge/image
  got=0
  (ulimit -v 4000000 && exec "$dicube" pack --all huge -o huge-archives --json) >out 2>err || got=$?
  [[ $got == 4 || $got == 1 ]] && grep -q 'huge/image: 42949672960 bytes: more than there is memory for' err || fail "40 GB: exit code $got, $(cat err)"
  grep -q '"class":"limit","file":"[^"]*huge/image"' out && grep -q '"instances":6' out || fail "40 GB: $(cat out)"
fi

# A signal between two archives leaves the rest undone, too.
for i in $(seq 60); do cp one.dcbs several/$i.dcbs; done
for i in $(seq 12); do
  got=0
  env --default-signal=TERM "$dicube" verify several >out 2>err &
  sleep 0.0$i
  kill -s TERM $! 2>/dev/null || true
  wait $! || got=$?
  [[ $got != 0 || $(wc -l <out) == 60 ]] || fail "$(wc -l <out) of 60 archives verified, and exit code 0"
done

# What format version 1 can't hold is no damage.
expect_exit 1 "$dicube" convert unheard/other.dcbs unheard/v1.dcbs --to v1
grep -q 'without frames' err || fail "convert --to v1: $(cat err)"

expect_exit 1 "$dicube" verify nothing.dcbs one.dcbs
grep -q 'all well' out || fail "one that is missing kept the others from being verified"
expect_exit 1 "$dicube" ls nothing.dcbs
echo "it can be read at two in the morning"
