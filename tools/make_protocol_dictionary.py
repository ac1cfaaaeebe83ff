#!/usr/bin/env python3
"""Writes spec/protocols.zdict: tools/make_protocol_dictionary.py OUT FOLDER...  (needs pydicom and libzstd)

Siemens' MR scanners write the protocol of a scan into every series: 50 to 160 kB of text, mostly names of parameters that are the same
everywhere, which zstd brings down to 6 to 16 kB when it has never seen them and to half of that when it has. The dictionary holds these names,
from the private elements (0029,1010) and (0029,1020) ("CSA headers") and (0021,1019) ("XProtocol") of the files below the folders, each once.

Only what the files of at least three scanners say in the same words is taken, and of that no texts for people: nothing in it tells of
a patient, a site or a single scanner. Look at the outcome (`strings OUT`) all the same.

Archives that were made with a dictionary need the same bytes for ever: other bytes need another identifier, and a line in spec/format.md.
"""

import collections
import ctypes
import os
import re
import sys

import pydicom

IDENTIFIER = 56321  # spec/format.md; RFC 8878, 6.2.1 leaves it to private use
LEVEL = 15  # as src/columns/protocol_dictionary.cc
SCANNERS = 3  # that must agree
DOCUMENTS = 2  # of a scanner, a version of its software and an element that are looked at
LONGEST = 160  # line

RECORD = re.compile(rb"([A-Za-z][A-Za-z0-9_]{3,40})\0{4,}")  # of a CSA header: a name, zeros or whatever was there up to 64 bytes, numbers
NAME_BYTES, RECORD_BYTES = 64, 84
ASSIGNMENT = re.compile(rb"^([A-Za-z][\w.\[\]]+\s*=\s*)")
FOR_PEOPLE = re.compile(rb'"[^"\n]*[A-Za-z]+ [A-Za-z]+ [^"\n]*"')
INDEX = re.compile(rb"\[\d+\]")

Document = collections.namedtuple("Document", "scanner software tag value")


def private_values(data_set):
    for element in data_set:
        if element.VR == "SQ":
            for item in element.value:
                yield from private_values(item)
        elif element.tag.is_private and isinstance(element.value, (bytes, str)):
            value = element.value if isinstance(element.value, bytes) else element.value.encode("latin-1", "replace")
            if len(value) >= 2000 and (value.startswith(b"SV10") or b"ASCCONV" in value):
                yield str(element.tag), value


def documents(folders):
    found = {}
    for folder in folders:
        for root, _, names in os.walk(folder):
            for name in sorted(names):
                try:
                    data = pydicom.dcmread(os.path.join(root, name), stop_before_pixels=True)
                    values = list(private_values(data))
                except Exception:  # no DICOM, or not to pydicom: no use here
                    continue
                scanner = re.sub(r"\D", "", str(data.get("DeviceSerialNumber")) + str(data.get("StationName")))[:6]
                for tag, value in values:
                    found.setdefault(value, Document(scanner, str(data.get("SoftwareVersions")), tag, value))
    seen = collections.Counter()
    for document in sorted(found.values(), key=lambda document: (-len(document.value), document.value)):
        kind = document[:3]
        seen[kind] += 1
        if seen[kind] <= DOCUMENTS:
            yield document


def phrases(value):
    """What scanners may agree on: lines, assignments without what is assigned, names."""
    for line in value.split(b"\n"):
        yield line
        if assignment := ASSIGNMENT.match(line):
            yield assignment[1]
    yield from RECORD.findall(value)


def records(value):
    """Names of a CSA header's elements, and the whole of each without what was left in memory behind the name."""
    for match in RECORD.finditer(value):
        record = value[match.start() : match.start() + RECORD_BYTES]
        yield match[1], match[1].ljust(NAME_BYTES, b"\0") + record[NAME_BYTES:]


def vocabulary(found):
    scanners = collections.defaultdict(set)
    for document in found:
        for phrase in phrases(document.value):
            scanners[phrase].add(document.scanner)
    elements, lines, told = [], [], set()

    def is_new(phrase):
        return not (phrase in told or told.add(phrase))

    of_software = collections.Counter(document.software for document in found)
    for document in sorted(found, key=lambda document: (of_software[document.software], document.software)):  # what is common stands at the end, where it is near
        elements += [record for name, record in records(document.value) if len(scanners[name]) >= SCANNERS and is_new(name)]
        last = b""
        for line in document.value.split(b"\n"):
            assignment = ASSIGNMENT.match(line)
            if assignment and len(scanners[line]) < SCANNERS:
                line = assignment[1]
            if len(line) > LONGEST or b"\0" in line or len(scanners[line]) < SCANNERS or FOR_PEOPLE.search(line):
                continue
            # Of an array's assignments one is enough; of other lines each pair, for brackets mean something only in their place.
            if is_new(INDEX.sub(b"[]", assignment[1]) if assignment else (last, line)):
                lines.append(line)
            last = line
    return b"".join(elements) + b"\n".join(lines)


def with_tables(content, samples):
    """In the form of RFC 8878, 5: identifier, tables of what `samples` come to, content."""

    class Parameters(ctypes.Structure):
        _fields_ = [("level", ctypes.c_int), ("notifications", ctypes.c_uint), ("identifier", ctypes.c_uint)]

    zstd = ctypes.CDLL("libzstd.so.1")
    size, text, of_size = ctypes.c_size_t, ctypes.c_char_p, ctypes.POINTER(ctypes.c_size_t)
    zstd.ZDICT_finalizeDictionary.restype = size
    zstd.ZDICT_finalizeDictionary.argtypes = [text, size, text, size, text, of_size, ctypes.c_uint, Parameters]
    out = ctypes.create_string_buffer(len(content) + 4096)
    sizes = (size * len(samples))(*map(len, samples))
    written = zstd.ZDICT_finalizeDictionary(out, len(out), content, len(content), b"".join(samples), sizes, len(samples), Parameters(LEVEL, 0, IDENTIFIER))
    if written > len(out):
        raise RuntimeError("zstd makes no dictionary of this")
    return out.raw[:written]


def main():
    found = list(documents(sys.argv[2:]))
    dictionary = with_tables(vocabulary(found), [document.value for document in found])
    with open(sys.argv[1], "xb") as file:
        file.write(dictionary)
    print(f"{len(dictionary)} bytes, of {len(found)} documents of {len({document.scanner for document in found})} scanners")


if __name__ == "__main__":
    main()
