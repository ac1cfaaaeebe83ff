"""Every name and signature that is promised to users of the older package and of this one is there."""

import inspect
import subprocess
import sys

import numpy as np
import pytest

import dicube
from conftest import phantom

# name -> parameters, as a caller may write them; "=" begins a default
FUNCTIONS = {
    "load": "path, skip_meta=False",
    "load_meta": "path",
    "save": "image, path, file_type='s', *, max_error=0, ratio=0.0",
    "load_from_dicom_folder": "folder, sort_method=INSTANCE_NUMBER_ASC, series_uid=None",
    "save_to_dicom_folder": "image, folder, overwrite=True",
    "load_from_nifti": "path",
    "save_to_nifti": "image, path",
    "set_num_threads": "n",
    "get_num_threads": "",
    "read_dicom_dir": "folder, stop_before_pixels=False, sort_method=INSTANCE_NUMBER_ASC",
    "get_dicom_status": "meta",
    "check": "meta",
    "open": "source",
    "pack": "sources, out, *, codec='auto', on_conflict='error', all=False, progress=None, order=(), archive=False, name_template=''",
    "unpack": "archive, folder, *, on_conflict='error', transfer_syntax='', max_error=0, ratio=0.0, verify=False, progress=None",
    "convert": "archive, out, *, codec='auto', max_error=0, ratio=0.0, to_version1=False, on_conflict='error', progress=None",
    "verify": "archive, *, progress=None",
}
METHODS = {
    "DicomCubeImage": {
        "get_fdata": "dtype='float32'",
        "init_meta": "modality='OT', patient_name='ANONYMOUS^', patient_id='0000000'",
    },
    "DicomMeta": {
        "get_values": "tag", "get_shared_value": "tag", "is_shared": "tag", "is_missing": "tag", "get_vr": "tag", "keys": "",
        "set_shared_item": "tag, value", "set_nonshared_item": "tag, values", "sort_files": "sort_method=INSTANCE_NUMBER_ASC",
        "index": "i", "display": "show_shared=True, show_non_shared=True", "to_json": "", "from_json": "json, filenames=None",
        "get": "tag, default=None", "get_text": "tag, index=0", "remove": "tag",
    },
    "DcbStreamingReader": {"get_dicom_for_frame": "i", "get_frame_count": "", "close": "", "__enter__": "", "__exit__": "*_"},
    "Archive": {
        "frame": "i, level=0", "read_file": "file", "codec": "frame", "close": "", "__getitem__": "i", "__len__": "",
        "__enter__": "", "__exit__": "*_", "__array__": "dtype=None, copy=None", "__iter__": "",
    },
}  # fmt: skip
STATUS = """consistent inconsistent non_uniform_series_uid missing_series_uid duplicate_instance_numbers missing_instance_number
gap_instance_number missing_spacing non_uniform_spacing missing_shape non_uniform_shape missing_orientation non_uniform_orientation
non_uniform_rescale_factor missing_dtype non_uniform_dtype missing_location reversed_location dwelling_location gap_location"""
ERRORS = {
    "DicomCubeError": Exception, "InvalidCubeFileError": ValueError, "CodecError": ValueError, "MetaDataError": ValueError,
    "DataConsistencyError": ValueError, "CubeFileNotFoundError": FileNotFoundError, "CubeFileExistsError": FileExistsError,
    "CubeIOError": OSError, "CubePermissionError": PermissionError, "CubeIsADirectoryError": IsADirectoryError,
    "CubeNotADirectoryError": NotADirectoryError, "SourceChangedError": OSError, "NotDicomError": ValueError,
    "UsageError": ValueError, "LimitError": ValueError, "UnsupportedError": NotImplementedError,
}  # fmt: skip


def _shape(function):
    """The parameters by place, kind and default; their names do not count where they are given by place."""
    parts, keywords = [], False
    for parameter in inspect.signature(function).parameters.values():
        if parameter.name == "self":
            continue
        default = "" if parameter.default is parameter.empty else f"={getattr(parameter.default, 'name', None) or repr(parameter.default)}"
        if parameter.kind is parameter.KEYWORD_ONLY and not keywords:
            parts.append("*")
            keywords = True
        name = "*_" if parameter.kind is parameter.VAR_POSITIONAL else parameter.name if default else "."
        parts.append(name + default)
    return ", ".join(parts)


def _wanted(text):
    return ", ".join(part if "=" in part or part in ("*", "*_") else "." for part in text.split(", ") if part)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_has_its_signature(name):
    assert name in dicube.__all__ or name == "open"
    assert _shape(getattr(dicube, name)) == _wanted(FUNCTIONS[name])


@pytest.mark.parametrize("kind, name", [(kind, name) for kind, names in METHODS.items() for name in names])
def test_a_method_has_its_signature(kind, name):
    assert _shape(getattr(getattr(dicube, kind), name)) == _wanted(METHODS[kind][name])


def test_a_script_that_imports_everything_keeps_its_own_open():
    names = {}
    exec("from dicube import *", names)
    assert "open" not in names and names["load"] is dicube.load


def test_the_modules_have_the_names_that_scripts_import():
    import dicube.dicom
    import dicube.dicom.dcb_streaming
    import dicube.storage

    assert dicube.storage.DcbSFile.FILE_TYPE == dicube.storage.DcbFile.FILE_TYPE == "s"
    for name in ("CommonTags", "DcbStreamingReader", "DicomMeta", "DicomStatus", "SortMethod", "get_dicom_status", "read_dicom_dir"):
        assert getattr(dicube.dicom, name) is getattr(dicube, name), name
    assert dicube.dicom.dcb_streaming.DcbStreamingReader is dicube.DcbStreamingReader
    assert {member.value for member in dicube.DicomStatus} == set(STATUS.split())
    assert [member.name for member in dicube.SortMethod] == ["INSTANCE_NUMBER_ASC", "INSTANCE_NUMBER_DESC", "POSITION_RIGHT_HAND", "POSITION_LEFT_HAND"]
    assert dicube.CommonTags.PatientName == 0x00100010


@pytest.mark.parametrize("name", ["storage.DcbSFile", "storage.pixel_utils", "codecs.get_codec", "codecs.jph", "dicom.dicom_builder.DicomBuilder",
                                  "dicom.space_from_meta", "dicom.get_space_from_DicomMeta", "integrations.ArchiveDataset", "core.io", "validation"])  # fmt: skip
def test_a_module_is_there_without_an_import_of_its_own(name):
    subprocess.run([sys.executable, "-c", f"import dicube; dicube.{name}"], check=True)
    with pytest.raises(AttributeError, match="has no attribute 'none'"):
        dicube.none


@pytest.mark.parametrize("values, name", [([0, 255], "uint8"), ([0, 65535], "uint16"), ([0, 3000000], "int32"), ([0, 4e9], "uint32"),
                                          ([-1, 100], "int8"), ([-1, 300], "int16"), ([0, 0.5], "float32"), ([0, 1e10], "float32")])  # fmt: skip
def test_the_type_for_nifti_holds_the_values(values, name):
    from dicube.storage.pixel_utils import determine_optimal_nifti_dtype

    data, chosen = determine_optimal_nifti_dtype(image=np.array(values), pixel_header=dicube.PixelDataHeader())
    assert chosen == data.dtype.name == name and data.tolist() == values


@pytest.mark.parametrize("name", ERRORS)
def test_an_error_is_the_packages_and_the_builtin(name):
    error = getattr(dicube.exceptions, name)
    assert issubclass(error, dicube.DicomCubeError) and issubclass(error, ERRORS[name]) and error.__doc__


def test_an_image_has_its_attributes():
    image = phantom(3)
    image.init_meta("CT", "A", "1")
    assert (image.shape, image.dtype, image.dicom_status) == ((3, 40, 48), np.dtype("int16"), dicube.DicomStatus.CONSISTENT)
    assert image.raw_image.shape == image.space.shape and image.pixel_header.RescaleSlope == 2.0
    assert image.dicom_meta.slice_count == 3 and len(image.dicom_meta.filenames) == 3
    for name in ("shape", "origin", "spacing", "x_orientation", "y_orientation", "z_orientation"):
        assert len(getattr(image.space, name)) == 3
    assert image.get_fdata().dtype == np.float32


@pytest.mark.parametrize("tag", ["PatientName", "0010,0010", "00100010", 0x00100010, (0x0010, 0x0010), dicube.CommonTags.PatientName])
def test_a_tag_is_named_in_every_way(archive_path, tag):
    meta = dicube.load_meta(archive_path)
    assert meta.get_shared_value(tag) == meta[tag] == meta.get(tag) == meta.get_text(tag) == "Doe^Jane"
    assert meta.is_shared(tag) and not meta.is_missing(tag) and meta.get_vr(tag) == "PN" and tag in meta


def _public(holder):
    for name, value in vars(holder).items():
        value = getattr(value, "fget", None) or getattr(value, "__func__", value)
        if inspect.isfunction(value) and not name.startswith("_"):
            yield name, value


def test_every_public_method_and_function_has_a_docstring():
    for name in dicube.__all__:
        thing = getattr(dicube, name)
        assert inspect.getdoc(thing), name
        if inspect.isclass(thing) and thing.__module__.startswith("dicube"):
            assert [method for method, function in _public(thing) if not function.__doc__] == [], name


def test_every_function_says_what_it_raises():
    for holder, names in [(dicube, FUNCTIONS), (dicube.DicomMeta, METHODS["DicomMeta"]), (dicube.Archive, METHODS["Archive"])]:
        for name in names:
            function = getattr(holder, name)
            if name.startswith("__") or len(inspect.signature(function).parameters) < (2 if holder is not dicube else 1):
                continue
            assert "Raises:" in function.__doc__ or name == "display", name


def test_every_public_name_says_what_it_takes_gives_and_raises():
    for holder, names in [(dicube, FUNCTIONS), *[(getattr(dicube, kind), names) for kind, names in METHODS.items()]]:
        for name in names:
            if name.startswith("__"):
                continue
            text = inspect.getdoc(getattr(holder, name))
            assert text, name
            for parameter in inspect.signature(getattr(holder, name)).parameters.values():
                if parameter.kind is parameter.KEYWORD_ONLY:
                    assert f"{parameter.name}:" in text, (name, parameter.name)
