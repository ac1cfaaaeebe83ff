"""The series below a folder, for the programs beside this one."""

import collections
import contextlib
import os
import tempfile

import pydicom


def series_of(folder):
    """The paths of each series' files, by Series Instance UID; files that pydicom can't read are left out."""
    series = collections.defaultdict(list)
    for root, _, names in os.walk(folder):
        for name in sorted(names):
            path = os.path.join(os.path.abspath(root), name)
            try:
                data = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=["SeriesInstanceUID"])
                series[str(data.SeriesInstanceUID)].append(path)
            except Exception:  # no DICOM, or not to pydicom: not these programs' subject
                continue
    return series


@contextlib.contextmanager
def folder_of(paths):
    """A folder that holds these files alone, as links."""
    with tempfile.TemporaryDirectory() as folder:
        for number, path in enumerate(paths):
            os.symlink(path, os.path.join(folder, f"{number:05}.dcm"))
        yield folder
