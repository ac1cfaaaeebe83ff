#!/usr/bin/env bash
# The program as people call it, on a messy folder. usage: cli.sh BUILD_FOLDER
# shellcheck source=tests/command_line.sh
source "$(dirname "$0")/command_line.sh"

"$build/bin/dicube_phantom" scan --slices 6 --size 48 --messy

expect_exit 0 "$dicube" pack --all scan -o all --json
[[ $(grep -c '"findings"' out) == 3 ]] || fail "three archives expected, one JSON line each: $(cat out)"
grep -q '^3 archives, 15 files, .* -> .* %)$' err || fail "the whole is not summed up: $(cat err)"
expect_exit 0 "$dicube" verify all
[[ $(cat err) == '3 archives all well, 15 files' ]] || fail "verifying is not summed up: $(cat err)"
expect_exit 0 "$dicube" unpack all -o back
grep -q '^3 archives, 15 files, [0-9.]* kB$' err || fail "restoring is not summed up: $(cat err)"
diff -r scan back || fail "the restored tree differs"
expect_exit 0 "$dicube" unpack all -o back --on-conflict skip
grep -q '^3 archives, 0 files, 0 B, 15 existed and were left as they are$' err || fail "files that existed are not summed up: $(cat err)"
cp -r back numbered
expect_exit 0 "$dicube" unpack all -o numbered --on-conflict rename
grep -q '^3 archives, 15 files, .*, 15 existed and got a number$' err || fail "files that got a number are not summed up: $(cat err)"

for i in $(seq 23); do
  "$build/bin/dicube_phantom" many/$i --slices 1 --size 16 --seed "$i" >/dev/null
  cp many/$i/series/IM00001.dcm many/$i/copy.dcm
done
expect_exit 0 "$dicube" pack many -o many-packed
[[ $(grep -c ': worth knowing:$' err) == 20 ]] || fail "findings of many archives are not those of a screen: $(cat err)"
grep -q '^worth knowing of 3 archives more (each: -v, or dicube check): .*duplicate_sop_instance_uid (3)' err || fail "findings of further archives are not counted: $(cat err)"
expect_exit 0 "$dicube" pack many -o many-told -v
[[ $(grep -c ': worth knowing:$' err) == 23 ]] || fail "-v does not tell of each archive: $(cat err)"

expect_exit 1 "$dicube" pack scan -o some # a DICOM file cut before its series is named
grep -q '^dicube: scan/second/cut in the header: .* (--all keeps it)$' err || fail "the file that could not be packed is not named as the folder was: $(cat err)"
grep -q 'no DICOM instances' err || fail "left-out files are not mentioned"
left_out=$(sed -n 's/^\([0-9]*\) of .* files are no DICOM instances .*/\1/p' err)
expect_exit 1 "$dicube" pack scan -o some-more -v
[[ $(grep -c '^left out scan/' err) == "$left_out" ]] || fail "-v does not name what is left out: $(cat err)"
expect_exit 1 "$dicube" check ./scan
grep -q '^dicube: ./scan/second/cut in the header: ' err || fail "check names a file otherwise than its folder was: $(cat err)"
grep -q '^2 series: .* without either; FAILED: 1 file$' err || fail "check sums up no files that failed: $(cat err)"
expect_exit 1 "$dicube" pack nowhere ./no/where scan/series -o some-more --on-conflict overwrite
[[ $(cat err) == *'dicube: nowhere: no such file'*'dicube: ./no/where: no such file'* ]] || fail "what is not there has another name: $(cat err)"
expect_exit 1 "$dicube" pack scan/series -o some
grep -q 'exists already' err || fail "the conflict is not explained"
expect_exit 0 "$dicube" pack scan/series -o some --on-conflict skip
expect_exit 0 "$dicube" pack scan/series -o some --on-conflict overwrite
expect_exit 0 "$dicube" pack scan/series -o one.dcbs -j 1
expect_exit 0 "$dicube" pack scan/series -o none --dry-run
grep -q ', would be packed$' out || fail "a dry run sounds like packing: $(cat out)"
[[ ! -e none ]] || fail "a dry run wrote something"
expect_exit 1 "$dicube" pack scan/series -o some --dry-run
grep -q 'exists already' err || fail "a dry run does not tell of a conflict: $(cat err)"
expect_exit 0 "$dicube" pack scan/series -o some --dry-run --resume
grep -q 'exists, skipped' out || fail "a dry run does not tell what would be skipped: $(cat out)"
for size in 32 48; do "$build/bin/dicube_phantom" mixed/$size --slices 2 --size $size; done
expect_exit 0 "$dicube" pack mixed -o mixed.dcbs
expect_exit 0 "$dicube" info mixed.dcbs
grep -q '^pixels    4 frames that differ, the first ' out || fail "frames that differ: $(cat out)"
grep -q '^PixelSpacing .* and others$' out || fail "values that differ: $(cat out)"

# Names of one's own, going on, what exists already.
expect_exit 2 "$dicube" pack scan/series -o named --name-template '{PatientIDD}'
grep -q "'PatientIDD' is no keyword; did you mean PatientID?" err || fail "a keyword that is none: $(cat err)"
expect_exit 2 "$dicube" pack scan/series -o named --name-template '../{PatientID}'
expect_exit 2 "$dicube" pack scan/series -o named.dcbs --name-template '{PatientID}'
[[ ! -e named && ! -e named.dcbs ]] || fail "a template that is none leaves something"
expect_exit 0 "$dicube" pack scan/series -o named --name-template '{PatientID}/{Modality}-{SeriesNumber}' -v
[[ $(grep -c '^packing IM0000[1-6].dcm$' err) == 6 ]] || fail "-v does not name the files: $(cat err)"
named=$(find named -type f)
[[ $named == named/*/CT-*.dcbs && $(cat out) == "$named: 6 files"* ]] || fail "names by a template: $named, $(cat out)"
expect_exit 0 "$dicube" pack scan/series -o named --name-template '{PatientID}/{Modality}-{SeriesNumber}' --resume
grep -q 'exists, skipped' out || fail "--resume packs again: $(cat out)"
expect_exit 2 "$dicube" pack scan/series -o named --resume --on-conflict overwrite
expect_exit 1 "$dicube" verify named
grep -q 'named: no archives .* in it; -r looks in folders below it, too' err || fail "archives in folders below: $(cat err)"
expect_exit 0 "$dicube" verify -r named --keep-going -v
grep -q '^verifying IM00006.dcm$' err || fail "verify -v: $(cat err)"
expect_exit 0 "$dicube" unpack -r named -o from-named
diff -r scan/series from-named || fail "the tree restored from named archives differs"
expect_exit 0 "$dicube" unpack -r named -o from-named --on-conflict rename
cmp from-named/IM00001-2.dcm scan/series/IM00001.dcm || fail "unpack --on-conflict rename"
grep -q '6 existed and got a number' out || fail "unpack does not say what it renamed: $(cat out)"
expect_exit 0 "$dicube" pack scan/series -o one.dcbs --on-conflict rename --recursive --keep-going
[[ $(cat out) == "one-2.dcbs: 6 files"* ]] && cmp one.dcbs one-2.dcbs || fail "pack --on-conflict rename: $(cat out)"
expect_exit 0 "$dicube" convert one.dcbs one-2.dcbs --on-conflict rename --json
grep -q '"archive":"one-2-2.dcbs"' out || fail "convert --on-conflict rename: $(cat out)"

# Shards: each series once, and what belongs to none.
for shard in 0/2 3/2 2 1/0 1/2x /2; do expect_exit 2 "$dicube" pack --all scan -o shards --shard $shard; done
grep -q 'from 1/N to N/N, as 2/8, is wanted' err || fail "a shard that is none: $(cat err)"
for i in 1 2 3; do expect_exit 0 "$dicube" pack --all scan -o shards --shard $i/3 --manifest shards.jsonl; done
diff <(ls all) <(ls shards) || fail "the shards are not the whole"
grep -q '^shard 3/3: [0-9] of 3 archives$' err || fail "a shard does not say its share: $(cat err)"
[[ $(wc -l <shards.jsonl) == 3 ]] || fail "a line per archive: $(cat shards.jsonl)"

# The manifest: lines as of --json, whatever is said otherwise.
expect_exit 1 "$dicube" pack scan -o listed --manifest lists/of/listed.jsonl -q
[[ ! -s out ]] || fail "pack -q with a manifest says: $(cat out)"
python3 - "$PWD" "$left_out" <<'PYTHON' || fail "the manifest: $(cat lists/of/listed.jsonl)"
import json, sys
lines = [json.loads(line) for line in open("lists/of/listed.jsonl")]
series, errors = [l for l in lines if "archive" in l], [l["error"] for l in lines if "error" in l]
left_out = [l["left_out"] for l in lines if "left_out" in l]
assert len(series) == 2 and all(l["archive_bytes"] > 0 and "findings" in l for l in series), series
assert sorted(l["source"] for l in series) == [sys.argv[1] + "/scan/second", sys.argv[1] + "/scan/series"], series
assert [e["file"] for e in errors] == ["scan/second/cut in the header"], errors
assert len(left_out) == 1 and left_out[0]["files"] == int(sys.argv[2]) < left_out[0]["found"] == 15, left_out
assert left_out[0]["example"].startswith("scan/"), left_out
PYTHON
expect_exit 1 "$dicube" pack scan/series -o listed --manifest lists/of/listed.jsonl --json
[[ $(tail -1 lists/of/listed.jsonl) == *'"class":"conflict"'* ]] && grep -qF "$(tail -1 lists/of/listed.jsonl)" out || fail "what failed is not listed"
cp scan/series/IM00001.dcm precious
expect_exit 2 "$dicube" pack scan/series -o listed --manifest precious --on-conflict skip
cmp precious scan/series/IM00001.dcm || fail "a manifest replaces another file"
expect_exit 2 "$dicube" pack scan/series -o listed --manifest - --on-conflict skip
[[ ! -e - ]] || fail "a manifest is named -"
if [[ -w /dev/full ]]; then
  expect_exit 4 "$dicube" pack scan/series -o full --manifest /dev/full
  grep -q "^dicube: /dev/full: can't be written: No space left" err && [[ -s $(ls full/*.dcbs) ]] || fail "a full manifest: $(cat err)"
fi
cp -r scan/series inside
expect_exit 0 "$dicube" pack --all inside -o inside/archives --manifest inside/m.jsonl
[[ $(wc -l <inside/m.jsonl) == 1 && ! -e inside/archives/other.dcbs ]] || fail "a manifest in the source is packed"

expect_exit 0 "$dicube" info one.dcbs
grep -q 'frames of 48 x 48' out || fail "info: $(cat out)"
grep -q '^findings  0$' out || fail "info without findings: $(cat out)"
grep -q '^places    6 along the normal, 1.25 mm apart$' out || fail "info says no geometry: $(cat out)"
expect_exit 0 "$dicube" info all
[[ $(grep -c '^series ' out) == 3 ]] || fail "info of a folder describes its archives: $(cat out)"
expect_exit 2 "$dicube" ls all
grep -q 'all: is a folder: one archive is wanted, as all/' err || fail "ls of a folder: $(cat err)"
expect_exit 2 "$dicube" convert all new.dcbs
grep -q 'all: is a folder: one archive is wanted, as all/' err || fail "convert of a folder: $(cat err)"
# A folder where a file is wanted, and the other way round: a mistake in the command line, whatever command it is.
mkdir folder.dcbs folder.png folder.d
for line in "pack scan/series -o folder.dcbs" "pack scan/series -o folder.dcbs --on-conflict overwrite" "convert one.dcbs folder.d" \
  "convert one.dcbs -o new/" "convert one.dcbs folder.dcbs --on-conflict overwrite" "thumb one.dcbs -o folder.png"; do
  expect_exit 2 "$dicube" $line
  grep -qE '^dicube: (folder\.[a-z]*|new/): is a folder, and what is written is a file: give a name for that$' err || fail "$line: $(cat err)"
done
echo text >in-the-way
for line in "pack scan/series -o in-the-way" "pack scan/series -o in-the-way --dry-run" "pack scan/series -o in-the-way/x/y.dcbs" "unpack one.dcbs -o in-the-way/" \
  "unpack one.dcbs -o in-the-way/x" "convert one.dcbs in-the-way/x.dcbs" "thumb one.dcbs -o in-the-way/x.png" "pack scan/series -o x --manifest in-the-way/x"; do
  expect_exit 2 "$dicube" $line
  grep -qx 'dicube: in-the-way: is no folder, and one is wanted there' err || fail "$line: $(cat err)"
done
mkdir -p taken/IM00001.dcm
expect_exit 1 "$dicube" unpack one.dcbs -o taken --on-conflict overwrite
grep -qx 'dicube: taken/IM00001.dcm: is a folder, which no file replaces' err || fail "a folder that has a file's name: $(cat err)"
for command in info verify convert; do
  expect_exit 3 "$dicube" $command scan/series/IM00001.dcm $([[ $command != convert ]] || echo new.dcbs)
  grep -q 'IM00001.dcm: a DICOM file and no archive: dicube pack makes one of it' err || fail "$command of a DICOM file: $(cat err)"
done
expect_exit 0 "$dicube" check one.dcbs
mkdir only-archives hollow
expect_exit 1 "$dicube" pack hollow -o none
grep -q '^dicube: hollow: nothing in it to pack$' err || fail "an empty folder: $(cat err)"
echo text >plain.txt
expect_exit 1 "$dicube" pack plain.txt -o none
grep -q '^dicube: plain.txt: no DICOM instance (--all keeps it)$' err || fail "a file that is none: $(cat err)"
mkdir zipped && for n in 1 2; do gzip -c scan/series/IM00001.dcm >zipped/$n.dcm.GZ; done
expect_exit 1 "$dicube" pack zipped -o none
grep -q '1.dcm.GZ; what is compressed is not looked into, unpack it first$' err || fail "compressed files: $(cat err)"
cp one.dcbs only-archives
expect_exit 0 "$dicube" check only-archives
grep -q 'no findings' out || fail "check looks at the archives in a folder: $(cat out)"
expect_exit 0 "$dicube" help pack
grep -q 'dicube pack' out || fail "help pack: $(cat out)"
expect_exit 0 "$dicube" help
grep -q "Exit codes" out || fail "help: $(cat out)"
expect_exit 2 "$dicube" help packs
grep -q '^dicube: packs: no such command; did you mean pack?$' err || fail "no suggestion for a command to explain: $(cat err)"
expect_exit 0 "$dicube" ls one.dcbs --json
[[ $(wc -l <out) == 6 ]] || fail "ls: six lines expected"
expect_exit 0 "$dicube" dump one.dcbs --tag PatientName --instance 2
grep -q 'Phantom^Thorax' out || fail "dump --tag: $(cat out)"
expect_exit 0 "$dicube" dump one.dcbs --tag 'ReferencedImageSequence[0].ReferencedSOPInstanceUID' --json
expect_exit 1 "$dicube" dump one.dcbs --tag 'ReferencedImageSequence[9].ReferencedSOPInstanceUID'
grep -q 'no instance has' err || fail "an element that is nowhere: $(cat out err)"
expect_exit 0 "$dicube" dump one.dcbs --tag 'ReferencedImageSequence[0]' --instance 0 --json
grep -q '"value":\[{"00081150"' out || fail "dump --tag of an item: $(cat out)"
expect_exit 2 "$dicube" dump one.dcbs --tag 'ImageType[0]'
grep -q 'ImageType.* is no path: the element is no sequence' err || fail "an item of what is no sequence: $(cat err)"
expect_exit 0 "$dicube" dump one.dcbs --tag ReferencedImageSequence --instance 0
grep -q '([1-9] items*)$' out || fail "dump --tag of a sequence: $(cat out)"
expect_exit 0 "$dicube" dump one.dcbs --tag PixelData --instance 0
grep -q '(frames)$' out || fail "dump --tag of pixels: $(cat out)"
expect_exit 0 "$dicube" dump one.dcbs --json
python3 -c 'import json; lines = [json.loads(l) for l in open("out")]; assert len(lines) == 6 and lines[0]["00100010"]["Value"][0]["Alphabetic"] == "Phantom^Thorax"' || fail "DICOM JSON"
expect_exit 0 "$dicube" cat one.dcbs --name IM00003.dcm
cmp out scan/series/IM00003.dcm || fail "cat --name"
expect_exit 1 "$dicube" cat one.dcbs --name IM0003.dcm
grep -q 'no instance named IM0003.dcm; did you mean IM00003.dcm?$' err || fail "a mistyped name: $(cat err)"
expect_exit 1 "$dicube" cat one.dcbs --name nothing-like-it
grep -q 'no instance named nothing-like-it; dicube ls says which there are$' err || fail "a name that is none: $(cat err)"
expect_exit 0 "$dicube" pack scan -o deep/ --all
grep -q '^deep/[^/]*: 6 files' out || fail "a folder with a slash at its end: $(cat out)"
expect_exit 1 "$dicube" cat "$(ls deep/[0-9]*.dcbs | head -1)" --name IM00003.dcm
grep -q 'no instance named IM00003.dcm (there is .*/IM00003.dcm)' err || fail "cat --name without its folder: $(cat err)"
mkdir odd && cp scan/series/IM00003.dcm $'odd/a\xFF\tb'
expect_exit 0 "$dicube" pack odd -o odd.dcbs
for name in $'a\xFF\tb' 'a\xFF\tb' $'a\\xFF\tb'; do # as it is, as ls writes it, and as its JSON does
  expect_exit 0 "$dicube" cat odd.dcbs --name "$name"
  cmp out scan/series/IM00003.dcm || fail "cat --name of a name that is no text: $name"
done
cp scan/series/IM00001.dcm $'odd/c\xFF\\xFE' && cp scan/series/IM00002.dcm $'odd/c\\xFF\xFE'
expect_exit 0 "$dicube" pack odd -o odder.dcbs
expect_exit 1 "$dicube" cat odder.dcbs --name 'c\xFF\xFE'
grep -q 'no instance named .*; --instance 0, 1 are listed so$' err || fail "a name that two files are listed by: $(cat err)"
cp scan/series/IM00001.dcm 'odd/a\xFF\tb'
expect_exit 0 "$dicube" pack odd -o oddest.dcbs
expect_exit 0 "$dicube" cat oddest.dcbs --name 'a\xFF\tb'
cmp out scan/series/IM00001.dcm || fail "cat --name of a name that is another's as it is listed"
grep -q 'several files are listed as .*: --instance [0-9], [0-9]; this is [0-9]$' err || fail "that another file is listed so is not said: $(cat err)"
mkdir leaving
expect_exit 1 bash -c "cd leaving && rmdir ../leaving && '$dicube' pack . -o never.dcbs"
grep -q '^dicube: \.: nothing in it to pack$' err || fail "a working directory that is gone: $(cat err)"
expect_exit 0 "$dicube" cat one.dcbs --frame 2
cmp out <(tail -c $((48 * 48 * 2)) scan/series/IM00003.dcm) || fail "cat --frame"
expect_exit 0 "$dicube" unpack one.dcbs -o coded --transfer-syntax jpeg2000 --verify --json
python3 -c 'import json; j = json.load(open("out")); assert j["files"] == 6 and j["unchanged"] == 0 and j["largest_error"] == 0' || fail "unpack --transfer-syntax: $(cat out)"
[[ $(head -c 340 coded/IM00003.dcm | tr -d '\0') == *1.2.840.10008.1.2.4.90* ]] || fail "the transfer syntax written"
expect_exit 0 "$dicube" unpack one.dcbs -o lossy --transfer-syntax 1.2.840.10008.1.2.4.81 --near 2 --verify
grep -q "largest error 2" out || fail "unpack --near: $(cat out)"
expect_exit 2 "$dicube" unpack one.dcbs -o lossy --transfer-syntax htj2k-lossy
expect_exit 2 "$dicube" unpack one.dcbs -o lossy --transfer-syntax mpeg4
expect_exit 0 "$dicube" convert one.dcbs -o zstd.dcbs --codec zstd --json
expect_exit 0 "$dicube" unpack zstd.dcbs -o from-zstd
diff -r scan/series from-zstd || fail "the tree restored from a converted archive differs"
expect_exit 0 "$dicube" pack scan/series -o kept --archive
expect_exit 0 "$dicube" verify kept
expect_exit 0 "$dicube" unpack kept -o from-kept
diff -r scan/series from-kept || fail "the tree restored from an archive with references differs"
expect_exit 0 "$dicube" convert one.dcbs kept.dcba --archive
cmp kept.dcba kept/*.dcba || fail "convert --archive makes another archive than pack --archive"
expect_exit 2 "$dicube" pack scan/series -o kept.dcbs --archive
expect_exit 2 "$dicube" pack scan/series -o plain.dcba
grep -q 'coded after others (--archive) is named .dcba$' err || fail "the ending of an archive with references: $(cat err)"
expect_exit 2 "$dicube" convert one.dcbs kept.dcbs --archive
expect_exit 0 "$dicube" convert one.dcbs small.dcbl --lossy --max-error 2
grep -q 'LOSSY' out || fail "convert --lossy does not say so: $(cat out)"
expect_exit 0 "$dicube" info small.dcbl
grep -q 'LOSSY' out || fail "info of a lossy archive: $(cat out)"
expect_exit 0 "$dicube" unpack small.dcbl -o derived
grep -q 'LOSSY' err || fail "unpack of a lossy archive: $(cat err)"
expect_exit 2 "$dicube" convert one.dcbs small.dcbs --lossy --max-error 2
expect_exit 2 "$dicube" convert one.dcbs small2.dcbl --lossy
expect_exit 0 "$dicube" convert one.dcbs v1.dcbs --to v1
mkdir part && cp scan/series/IM0000[12].dcm part && head -c -100 scan/series/IM00003.dcm >part/IM00003.dcm
expect_exit 0 "$dicube" pack part -o part.dcbs
for line in "part.dcbl --lossy --ratio 10" "part-v1.dcbs --to v1"; do
  expect_exit 0 "$dicube" convert part.dcbs $line
  grep -q "^${line%% *}: worth knowing:$" err && grep -qE '^  (kept_lossless|left_out): ' err || fail "findings of convert $line: $(cat err)"
done
expect_exit 0 "$dicube" info v1.dcbs
grep -q 'format 1.0' out || fail "convert --to v1: $(cat out)"
expect_exit 0 "$dicube" thumb one.dcbs -o thumb.png --montage --window 40,400
[[ $(head -c 4 thumb.png | tail -c 3) == PNG ]] || fail "no PNG"
for size in 8 100 8192; do # 6 frames of 48 x 48: 3 in a row
  expect_exit 0 "$dicube" thumb one.dcbs -o sized.png --montage --size $size --json
  side=$((size < 144 ? size / 3 * 3 : 144))
  grep -q "\"width\":$side,\"height\":$((side / 3 * 2))," out || fail "a montage of at most $size pixels: $(cat out)"
done
expect_exit 0 "$dicube" thumb one.dcbs -o pictures/of/one.png
[[ -s pictures/of/one.png ]] || fail "the folders of a picture are not made"
python3 - <<'PYTHON'
data = bytearray(open("one.dcbs", "rb").read())
data[-100] ^= 1
open("hurt.dcbs", "wb").write(data)
PYTHON
expect_exit 3 "$dicube" thumb hurt.dcbs -o hurt.png --montage --json
grep -q '"missing":1' out || fail "a montage leaves the tile of a damaged frame empty: $(cat out err)"
[[ -s hurt.png ]] || fail "a montage with a damaged frame is not written"
grep -q 'frame 5' err || fail "a montage does not name the damaged frame: $(cat err)"

expect_exit 0 "$dicube" check one.dcbs scan/series
[[ $(wc -l <out) == 2 && $(grep -c '6 slices, no findings' out) == 2 ]] || fail "check: $(cat out)"
grep -qx '2 series: 0 with errors, 0 with warnings, 2 without either' err || fail "check sums up nothing: $(cat err)"
mkdir gap && cp scan/series/IM0000[1245].dcm gap
expect_exit 1 "$dicube" check gap --json
grep -q '"code":"gap_in_positions"' out || fail "check --json: $(cat out)"
grep -q '"code":"gap_in_instance_numbers"' out || fail "check --json: $(cat out)"
expect_exit 0 "$dicube" pack gap -o gap.dcbs
grep -q '^  gap_in_positions: steps of' err || fail "packing says nothing of a missing slice: $(cat err)"
expect_exit 0 "$dicube" info gap.dcbs
grep -q '^          error: gap_in_positions: steps of' out || fail "info of an archive with a gap: $(cat out)"
mkdir stray && cp scan/series/*.dcm stray && echo "stray bytes" >>stray/IM00002.dcm
expect_exit 0 "$dicube" pack stray -o stray.dcbs
[[ $(grep -c unexplained_bytes err) == 1 ]] || fail "packing says not once that bytes can't be explained: $(cat err)"
for source in stray stray.dcbs; do
  expect_exit 0 "$dicube" check $source
  grep -q "warning: unexplained_bytes: 1 slice has bytes that can't be explained: .* (IM00002.dcm)$" out || fail "check $source says nothing of stray bytes: $(cat out)"
done
expect_exit 0 "$dicube" info stray.dcbs
grep -q '^          warning: unexplained_bytes: ' out || fail "info says nothing of stray bytes: $(cat out)"
expect_exit 0 "$dicube" check scan/series/IM00001.dcm
grep -q '1 slice, no findings' out || fail "check of a DICOM file: $(cat out err)"
expect_exit 1 "$dicube" check gap/*.dcm
grep -q 'gap_in_positions' out || fail "check of DICOM files: $(cat out err)"
mkdir cut && cp scan/series/IM0000[12].dcm cut && head -c -100 scan/series/IM00003.dcm >cut/IM00003.dcm
expect_exit 1 "$dicube" check cut
grep -q 'missing_pixels: 1 slice has no pixels.*(IM00003.dcm)' out || fail "check of a file cut in its pixels: $(cat out err)"
head -c 300 scan/series/IM00003.dcm >cut/IM00003.dcm
expect_exit 1 "$dicube" check cut
grep -q 'IM00003.dcm: a DICOM file without a readable Series' err || fail "check of a file cut in its header: $(cat out err)"
expect_exit 3 "$dicube" info scan/series/IM00001.dcm
grep -q 'a DICOM file and no archive' err || fail "info of a DICOM file: $(cat err)"

expect_exit 2 "$dicube"
expect_exit 2 "$dicube" pack
mkdir nothing
expect_exit 1 "$dicube" verify one.dcbs nothing
grep -q 'nothing: no archives' err || fail "a folder without archives beside another is not named: $(cat err)"
expect_exit 1 "$dicube" pack no-such-folder -o never
[[ ! -e never ]] || fail "a folder is made though there is nothing to pack"
expect_exit 2 "$dicube" pack scan -o ''
expect_exit 2 "$dicube" pack scan/series -o one.dcbl
[[ ! -e one.dcbl ]] || fail "a folder with the name of a lossy archive"
expect_exit 2 "$dicube" cat one.dcbs --frame -1
grep -q 'not -1' err || fail "a negative index: $(cat err)"
expect_exit 1 "$dicube" convert one.dcbs v1.dcbs --to v1
grep -q '^dicube: v1.dcbs: exists already (--on-conflict skip' err || fail "convert onto a file: $(cat err)"
expect_exit 1 "$dicube" unpack one.dcbs -o derived
[[ $(wc -l <err) == 4 ]] && grep -q 'exists already (--on-conflict skip' err || fail "unpack onto files: $(cat err)"
expect_exit 2 "$dicube" dump one.dcbs --tag NoSuchKeyword
expect_exit 2 "$dicube" dump one.dcbs --tag PatientNmae
grep -q "'PatientNmae' is no keyword or tag; did you mean PatientName?" err || fail "no suggestion for a keyword: $(cat err)"
expect_exit 1 "$dicube" info nothing.dcbs
expect_exit 1 "$dicube" cat one.dcbs --frame 99
grep -q 'no frame 99: it has 6 frames$' err || fail "a frame that is not there: $(cat err)"
expect_exit 0 "$dicube" pack scan/series/IM00001.dcm -o single.dcbs
expect_exit 1 "$dicube" cat single.dcbs --frame 1
grep -q 'no frame 1: it has 1 frame$' err || fail "a frame behind the only one: $(cat err)"
expect_exit 0 "$dicube" cat one.dcbs --frame 02
cmp out <(tail -c $((48 * 48 * 2)) scan/series/IM00003.dcm) || fail "cat --frame 02 is no frame 2"
for number in 0x2 2x 99999999999999999999; do expect_exit 2 "$dicube" cat one.dcbs --frame $number; done

expect_exit 2 "$dicube" unpack one.dcbs one.dcbs -o never --transfer-syntax jpegls
[[ $(grep -c 'did you mean jpeg-ls' err) == 1 ]] || fail "a mistyped transfer syntax is said once: $(cat err)"
expect_exit 2 "$dicube" unpack one.dcbs -o never --transfer-syntax jpeg-ls-near
grep -q 'needs a largest error or a ratio' err || fail "a lossy transfer syntax without a loss: $(cat err)"

# Names that look like lists are names.
mkdir '[]' '[a,b]' a
cp scan/series/IM00001.dcm '[]'
cp scan/series/IM00002.dcm '[a,b]'
cp scan/series/IM00003.dcm a
expect_exit 0 "$dicube" pack '[]' '[a,b]' -o bracketed.dcbs
expect_exit 0 "$dicube" unpack bracketed.dcbs -o '[back]'
diff -r '[]' '[back]/[]' && diff -r '[a,b]' '[back]/[a,b]' || fail "folders named like lists"
expect_exit 2 "$dicube" ls bracketed.dcbs '[more]'
grep -q 'not expected: \[more\]$' err || fail "a word too many: $(cat err)"
for line in "" "--frame 1 --instance 1"; do
  expect_exit 2 "$dicube" cat one.dcbs $line
  grep -q '^dicube: one of --instance, --name and --frame is wanted$' err || fail "cat $line: $(cat err)"
done
expect_exit 1 "$dicube" pack scan/notes -o text
expect_exit 2 "$dicube" pakc scan -o x
grep -q 'Did you mean pack?' err || fail "no suggestion for a command: $(cat err)"
expect_exit 2 "$dicube" pack scan -o x --on-conflit skip
grep -q 'Did you mean --on-conflict?' err || fail "no suggestion for an option: $(cat err)"
expect_exit 2 "$dicube" pack scan --ouput x
grep -q 'Did you mean --output?' err || fail "no suggestion for an option that must be there: $(cat err)"
for option in --name --name=IM1; do
  expect_exit 2 "$dicube" unpack one.dcbs -o x $option
  grep -qx 'There is dicube cat --name: The original file of this name' err || fail "an option of another command: $(cat err)"
done
expect_exit 2 "$dicube" --versoin
grep -q 'Did you mean --version?' err || fail "no suggestion for an option before the command: $(cat err)"
expect_exit 2 "$dicube" pack scan -o --json
grep -q -- '--output has no value: behind it stands --json' err && [[ ! -e --json ]] || fail "an option as a value: $(cat err)"
grep -q '"class":"usage"' out || fail "an error of usage in JSON: $(cat out)"
expect_exit 2 "$dicube" pack --json
grep -q '"message":"SRC is required"' out || fail "an error of usage in JSON: $(cat out)"
expect_exit 0 "$dicube" --version
expect_exit 0 "$dicube" pack --help
expect_exit 0 "$dicube" check --help
grep -q 'searched for DICOM files with all that is below them, and for archives directly in them' <(tr -s ' \n' ' ' <out) || fail "check --help: $(cat out)"
: >empty.dcbs
expect_exit 3 "$dicube" info empty.dcbs
grep -q 'it has 0 bytes' err || fail "an empty archive: $(cat err)"
head -c 3000 one.dcbs >cut.dcbs
expect_exit 3 "$dicube" info cut.dcbs
grep -q 'bytes' err || fail "damage is not explained"
size=$(stat -c %s one.dcbs)
head -c $((size - 9)) one.dcbs >cut.dcbs
expect_exit 3 "$dicube" unpack cut.dcbs -o of-cut
grep -q "cut.dcbs: the header says $size bytes but the file has $((size - 9))" err || fail "an archive cut short: $(cat err)"
truncate -s "$size" cut.dcbs
expect_exit 3 "$dicube" unpack cut.dcbs -o of-cut
[[ $(find of-cut -type f | wc -l) == 5 ]] || fail "what lies in front of the cut can be restored"
cp one.dcbs longer.dcbs && printf 'XX' >>longer.dcbs
expect_exit 3 "$dicube" verify longer.dcbs
grep -q "longer.dcbs: the header says $size bytes but the file has $((size + 2))" err || fail "an archive with bytes behind it: $(cat err)"
truncate -s "$size" longer.dcbs
expect_exit 0 "$dicube" verify longer.dcbs
cp one.dcbs bad.dcbs
printf 'X' | dd of=bad.dcbs bs=1 seek=$(($(stat -c %s bad.dcbs) - 9)) conv=notrunc status=none
expect_exit 3 "$dicube" verify bad.dcbs
mkdir damage && cp one.dcbs damage/a.dcbs && cp bad.dcbs damage/b.dcbs
expect_exit 3 "$dicube" verify damage
grep -qx '1 archive all well, 11 files in all; FAILED: 1 file of 1 archive' err || fail "files that failed are not summed up: $(cat err)"
head -c 100 one.dcbs >damage/c.dcbs
expect_exit 3 "$dicube" verify damage
grep -q '; FAILED: 1 archive, and 1 file of 1 other archive$' err || fail "an archive that failed as a whole is not summed up: $(cat err)"
expect_exit 3 "$dicube" check one.dcbs damage/c.dcbs
grep -qx '1 series: 0 with errors, 0 with warnings, 1 without either; FAILED: 1 archive' err || fail "check sums up no archive that failed: $(cat err)"
expect_exit 3 "$dicube" unpack bad.dcbs -o salvaged
[[ $(find salvaged -type f | wc -l) == 5 ]] || fail "five of six files can be salvaged"
[[ -z $(find . -name '.dicube-*') ]] || fail "temporary files left behind"
share=$build/share
for command in pack unpack verify info ls dump cat thumb check convert help; do
  page=$share/man/man1/dicube-$command.1
  grep -q '^\.SH OPTIONS' "$page" || fail "no man page of $command"
  if command -v groff >/dev/null; then [[ -z $(groff -man -ww -z -Tutf8 "$page" 2>&1) ]] || fail "$page: $(groff -man -ww -z -Tutf8 "$page" 2>&1)"; fi
done
complete_words() { # WORD...: what bash offers for the last one
  bash -c 'source "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _dicube; echo "${COMPREPLY[*]}"' "$share/bash-completion/completions/dicube" "$@"
}
[[ $(complete_words dicube unp) == unpack ]] || fail "completion of a command: $(complete_words dicube unp)"
[[ $(complete_words dicube pack --on) == --on-conflict ]] || fail "completion of an option"
[[ $(complete_words dicube pack --on-conflict s) == skip ]] || fail "completion of a value"
[[ $(complete_words dicube pack --codec = '') == "auto htj2k lane zstd" && $(complete_words dicube pack --codec =) == "auto htj2k lane zstd" ]] ||
  fail "completion of a value behind ="
[[ $(complete_words dicube pack --codec = l) == lane && $(complete_words dicube pack --codec=l) == --codec=lane ]] || fail "completion of a value that follows ="
[[ $(complete_words dicube help unp) == unpack ]] || fail "completion of a command to explain: $(complete_words dicube help unp)"
[[ $(complete_words dicube pack --na) == --name-template ]] || fail "completion of --name-template"
[[ $(complete_words dicube cat --i) == --instance ]] || fail "completion of an option in a group"
[[ $(complete_words dicube unpack --transfer-syntax jpeg2) == jpeg2000 ]] || fail "completion of a transfer syntax"
grep -q -- "'--codec=\[" "$share/zsh/site-functions/_dicube" && grep -q "'1:command:(pack .*help)'" "$share/zsh/site-functions/_dicube" || fail "zsh: values behind = and commands to explain"
grep -q "seen_subcommand_from help' -x -a 'pack .*help'" "$share/fish/vendor_completions.d/dicube.fish" || fail "fish: commands to explain"
if command -v zsh >/dev/null; then zsh -n "$share/zsh/site-functions/_dicube"; fi
if command -v fish >/dev/null; then fish -n "$share/fish/vendor_completions.d/dicube.fish"; fi

# The README's lines, in a folder that has what they name.
mkdir readme
"$build/bin/dicube_phantom" readme/scans --slices 3 --size 32
"$build/bin/dicube_phantom" readme/cd --slices 3 --size 32 --seed 2
uid=$("$dicube" check readme/scans --json | sed -n 's/.*"series_instance_uid":"\([^"]*\)".*/\1/p')
cp "$(find readme/scans -name IM00001.dcm)" readme/first
rm -r readme/scans/* && cp readme/first readme/scans/IM1
"$dicube" pack readme/scans -o readme/scan.dcbs -q
lines=$(sed -n 's/^    \(dicube .*\)/\1/p' "$project/README.md")
[[ $(wc -l <<<"$lines") -ge 13 ]] || fail "the README's examples are gone: $lines"
while read -r line; do
  (cd readme && PATH=$build/bin:$PATH bash -o pipefail -c "${line//1.2.3/$uid}") >out 2>err || fail "README: $line: $(cat err)"
done <<<"$lines"
cmp readme/first readme/restored/IM1 || fail "the README's unpack restores something else"

echo "the command line does as documented"
