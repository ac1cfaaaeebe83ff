"""What is installed."""

import importlib.metadata
import pathlib
import re
import subprocess
import sys

import dicube

_EVERYWHERE = re.compile(r"lib(c|m|dl|rt|pthread|gcc_s|stdc\+\+)\.so|linux-vdso|/lib.*/ld-linux")  # of C and C++, on every Linux


def test_what_is_imported_when_it_is_asked_for_is_listed_before():
    code = "import dicube; print({'codecs', 'integrations', 'storage'} <= set(dir(dicube)), 'dicom_builder' in dir(dicube.dicom))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "True True\n"


def test_it_brings_the_licences_of_what_is_linked_in():
    files = [str(file) for file in importlib.metadata.files("dicube") or ()]
    for notice in ("openjph/LICENSE", "openjpeg/LICENSE", "libjpeg-turbo/README.ijg", "libjpeg-turbo/LICENSE.md", "highway/LICENSE-BSD3"):
        assert [file for file in files if file.endswith(f".dist-info/licenses/.deps/{notice}")], notice


def test_it_brings_the_libraries_that_it_needs():
    package = pathlib.Path(dicube.__file__).parent
    needed = subprocess.run(["ldd", dicube._core.__file__], capture_output=True, text=True, check=True).stdout.splitlines()
    assert len(needed) > 3
    assert [line for line in needed if not _EVERYWHERE.match(line.strip()) and f"=> {package}/" not in line] == []
