#!/usr/bin/env python3
"""`dicube dump --json` of a big-endian file: tests/json_against_pydicom.py BUILD_FOLDER

The DICOM JSON model does not tell a byte order, so InlineBinary is little endian: what the big-endian file gives must be what pydicom
makes of a little-endian one with the same values. (Of the big-endian file itself pydicom 3 puts the bytes as they are; DCMTK's dcm2json
turns them round, too.) Ends with 77 (skipped) without pydicom.
"""

import json
import os
import subprocess
import sys
import tempfile

try:
    import pydicom
except ImportError:
    print("skipped: no pydicom")
    sys.exit(77)

WORDS = {"OB": 1, "UN": 1, "OW": 2, "OL": 4, "OF": 4, "OV": 8, "OD": 8}
BINARY = {"EncapsulatedDocument": "OB", "RedPaletteColorLookupTableData": "OW", "LongPrimitivePointIndexList": "OL", "PointCoordinatesData": "OF",
          "ExtendedOffsetTable": "OV", "DoublePointCoordinatesData": "OD"}  # fmt: skip
SYNTAXES = {"little": pydicom.uid.ExplicitVRLittleEndian, "big": pydicom.uid.ExplicitVRBigEndian}


def turned(value, size):
    return b"".join(value[at : at + size][::-1] for at in range(0, len(value), size))


def data_set(order):
    binary = bytes(range(1, 17))
    data = pydicom.Dataset()
    data.SOPClassUID, data.SOPInstanceUID, data.SeriesInstanceUID = "1.2.840.10008.5.1.4.1.1.7", "1.2.3", "1.2.4"
    data.PatientName, data.SliceThickness, data.InstanceNumber = "A^B", "1.5", 3
    data.Rows, data.TagAngleSecondAxis, data.FrameIncrementPointer = 4, -5, 0x00181063
    for keyword, vr in BINARY.items():
        data.add_new(keyword, vr, turned(binary, WORDS[vr]) if order == "big" else binary)
    data.add_new(0x00091001, "UN", binary)
    item = pydicom.Dataset()
    item.LUTDescriptor, item["LUTData"] = [8, 0, 16], pydicom.DataElement("LUTData", "OW", data.RedPaletteColorLookupTableData)
    item["LUTDescriptor"].VR = "US"
    data.ModalityLUTSequence = [item]
    if order == "little":  # native files hold no encapsulated frames, but such icons have been seen in them
        icon = pydicom.Dataset()
        icon.PixelData = pydicom.encaps.encapsulate([b"icon", b"goes on."])
        icon["PixelData"].VR, icon["PixelData"].is_undefined_length = "OB", True
        data.IconImageSequence = [icon]
    data.file_meta = pydicom.dataset.FileMetaDataset()
    data.file_meta.TransferSyntaxUID = SYNTAXES[order]
    return data


def main():
    dicube = os.path.join(sys.argv[1], "bin", "dicube")
    with tempfile.TemporaryDirectory() as work:
        for order in SYNTAXES:
            source, archive = os.path.join(work, f"{order}.dcm"), os.path.join(work, f"{order}.dcbs")
            data_set(order).save_as(source, enforce_file_format=True)
            subprocess.run([dicube, "pack", "-q", source, "-o", archive], check=True)
            dump = lambda *more: json.loads(subprocess.run([dicube, "dump", archive, "--json", *more], check=True, capture_output=True).stdout)  # noqa: E731
            wanted, found = data_set("little").to_json_dict(), dump()
            if order == "big":
                del wanted["00880200"]
            assert found == wanted, [(tag, found.get(tag), wanted.get(tag)) for tag in sorted(set(found) | set(wanted)) if found.get(tag) != wanted.get(tag)]
            for tag in ("RedPaletteColorLookupTableData", "ModalityLUTSequence[0].LUTData"):
                assert dump("--tag", tag)["value"] == wanted["00281201"]["InlineBinary"], (order, tag)


if __name__ == "__main__":
    main()
