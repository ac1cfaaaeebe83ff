"""Enhanced multi-frame objects: fields of every frame, and what is made of them."""

import copy
import re

import numpy as np
import pytest

import dicube
from conftest import corpus
from dicube.dicom.dicom_meta import GROUPS

pydicom = pytest.importorskip("pydicom")
from pydicom.dataset import Dataset, FileMetaDataset  # noqa: E402
from pydicom.sequence import Sequence  # noqa: E402
from pydicom.uid import ExplicitVRLittleEndian, generate_uid  # noqa: E402

ENHANCED_CT = "1.2.840.10008.5.1.4.1.1.2.1"
ROWS, COLUMNS, STEP = 6, 8, 1.5


def item(**values):
    data_set = Dataset()
    for keyword, value in values.items():
        setattr(data_set, keyword, value)
    return data_set


def groups(**sequences):
    return item(**{name: Sequence([item(**values)]) for name, values in sequences.items()})


def enhanced(number, first, pixels, uids, own_slopes=False):
    """Frames `first` to `first + len(pixels) - 1` of a volume, as one object."""
    data_set = Dataset()
    data_set.file_meta = FileMetaDataset()
    data_set.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data_set.file_meta.MediaStorageSOPClassUID = data_set.SOPClassUID = ENHANCED_CT
    data_set.file_meta.MediaStorageSOPInstanceUID = data_set.SOPInstanceUID = generate_uid()
    data_set.StudyInstanceUID, data_set.SeriesInstanceUID = uids
    data_set.Modality, data_set.PatientName, data_set.InstanceNumber = "CT", "Doe^Jane", number
    data_set.Rows, data_set.Columns, data_set.SamplesPerPixel, data_set.NumberOfFrames = ROWS, COLUMNS, 1, len(pixels)
    data_set.PhotometricInterpretation = "MONOCHROME2"
    data_set.BitsAllocated = data_set.BitsStored = 16
    data_set.HighBit, data_set.PixelRepresentation = 15, 1
    data_set.SharedFunctionalGroupsSequence = Sequence([groups(
        PixelMeasuresSequence={"PixelSpacing": [0.75, 0.5], "SliceThickness": STEP},
        PlaneOrientationSequence={"ImageOrientationPatient": [1, 0, 0, 0, 1, 0]},
        PixelValueTransformationSequence={"RescaleSlope": 1, "RescaleIntercept": -1024, "RescaleType": "HU"},
    )])  # fmt: skip
    frames = []
    for i in range(len(pixels)):
        frame = groups(PlanePositionSequence={"ImagePositionPatient": [-10, -20, 5 + STEP * (first + i)]},
                       FrameContentSequence={"FrameAcquisitionNumber": first + i, "FrameComments": f"\u00e9{first + i}"})  # fmt: skip
        if own_slopes:
            frame.PixelValueTransformationSequence = Sequence([item(RescaleSlope=first + i + 1, RescaleIntercept=-i, RescaleType="US")])
        frames.append(frame)
    data_set.PerFrameFunctionalGroupsSequence = Sequence(frames)
    data_set.SpecificCharacterSet = "ISO_IR 192"
    data_set.PixelData = pixels.astype("<i2").tobytes()
    return data_set


@pytest.fixture
def volume():
    return np.random.default_rng(3).integers(-500, 500, (7, ROWS, COLUMNS)).astype(np.int16)


@pytest.fixture
def folder(volume, tmp_path):
    """A volume of 7 frames in objects of 4 and 3, their files' names in the other order."""
    uids = generate_uid(), generate_uid()
    out = tmp_path / "series"
    out.mkdir()
    enhanced(1, 0, volume[:4], uids).save_as(out / "z.dcm", enforce_file_format=True)
    enhanced(2, 4, volume[4:], uids).save_as(out / "a.dcm", enforce_file_format=True)
    return out


@pytest.fixture
def image(folder, tmp_path):
    dicube.pack(folder, tmp_path / "series.dcbs").raise_errors()
    return dicube.load(tmp_path / "series.dcbs")


def test_a_series_of_multi_frame_objects_is_one_array_in_order(image, folder, volume):
    np.testing.assert_array_equal(image.raw_image, volume)
    np.testing.assert_array_equal(dicube.load_from_dicom_folder(folder).raw_image, volume)
    assert image.dicom_meta.slice_count == 2 and image.dicom_meta.frame_counts == [4, 3]


def test_fields_of_frames_come_from_their_functional_groups(image):
    meta = image.dicom_meta
    assert meta.get_frame_values("ImagePositionPatient") == [[-10, -20, 5 + STEP * i] for i in range(7)]
    assert meta.get_frame_values("FrameAcquisitionNumber") == list(range(7))
    assert meta.get_frame_values("FrameComments") == [f"\u00e9{i}" for i in range(7)]
    assert meta.get_frame_values("PixelSpacing") == [[0.75, 0.5]] * 7
    assert meta.get_frame_values("InstanceNumber") == [1] * 4 + [2] * 3
    assert meta.get_frame_values("PatientName") == ["Doe^Jane"] * 7
    assert meta.get_frame_values("PatientID") == [None] * 7
    assert meta.index(1).get_frame_values("FrameAcquisitionNumber") == [4, 5, 6]


def test_geometry_and_rescale_come_from_the_functional_groups(image, volume):
    space = image.space
    assert space is not None, image.space_problem
    assert space.shape == (7, ROWS, COLUMNS) and space.spacing == (STEP, 0.75, 0.5) and space.origin == (-10, -20, 5)
    np.testing.assert_allclose(image.get_fdata(), volume - 1024.0)


def test_every_frame_has_its_own_rescale(volume, tmp_path):
    enhanced(1, 0, volume, (generate_uid(), generate_uid()), own_slopes=True).save_as(tmp_path / "a.dcm", enforce_file_format=True)
    values = dicube.load_from_dicom_folder(tmp_path).get_fdata("float64")
    np.testing.assert_allclose(values, [frame * (i + 1.0) - i for i, frame in enumerate(volume)])


def test_what_is_set_stands_for_all_frames_of_a_slice(image):
    meta = copy.deepcopy(image.dicom_meta)
    meta.set_nonshared_item("FrameAcquisitionNumber", [50, 60])
    assert meta.get_frame_values("FrameAcquisitionNumber") == [50] * 4 + [60] * 3
    meta.remove("ImagePositionPatient")  # what the data set says, which is nothing here
    assert meta.get_frame_values("ImagePositionPatient") == [None] * 7


def test_metadata_without_an_archive_has_them_too(folder, image):
    meta, _ = dicube.dicom.dicom_meta.read_dicom_dir(folder)
    for keyword in ("ImagePositionPatient", "PixelSpacing", "FrameComments", "InstanceNumber", "PatientID"):
        assert meta.get_frame_values(keyword) == image.dicom_meta.get_frame_values(keyword), keyword
    meta = dicube.DicomMeta.from_json(image.dicom_meta.to_json())
    assert meta.get_frame_values("ImagePositionPatient") == image.dicom_meta.get_frame_values("ImagePositionPatient")


def test_of_single_frames_they_are_those_of_the_slices(archive_path):
    meta = dicube.load_meta(archive_path)
    for keyword in ("ImagePositionPatient", "InstanceNumber", "PatientName"):
        assert meta.get_frame_values(keyword) == meta.get_values(keyword)


def test_positions_of_the_corpus_are_those_that_pydicom_finds():
    found = 0
    for path in sorted(corpus("dcm_qa_enh/In").rglob("*.dcm")):
        data_set = pydicom.dcmread(path, stop_before_pixels=True)
        frames = data_set.get("PerFrameFunctionalGroupsSequence", [])
        if not frames or any("PlanePositionSequence" not in frame for frame in frames):
            continue
        expected = [list(map(float, frame.PlanePositionSequence[0].ImagePositionPatient)) for frame in frames]
        try:
            image = dicube.load_from_dicom_folder(path.parent, series_uid=str(data_set.SeriesInstanceUID))
        except dicube.DicomCubeError:
            continue
        meta = image.dicom_meta
        if meta.frame_counts != [len(frames)]:
            continue
        assert meta.get_frame_values("ImagePositionPatient") == expected
        found += 1
    assert found > 0


def test_the_status_asks_each_frame_for_its_geometry(folder):
    meta = dicube.load_from_dicom_folder(folder).dicom_meta
    assert dicube.get_dicom_status(meta) is dicube.DicomStatus.CONSISTENT and not dicube.check(meta)
    meta.set_shared_item("PixelSpacing", None)
    assert dicube.get_dicom_status(meta) is dicube.DicomStatus.MISSING_SPACING
    meta.set_nonshared_item("PixelSpacing", [[1, 1], [1, 2]])
    assert dicube.get_dicom_status(meta) is dicube.DicomStatus.NON_UNIFORM_SPACING


def written(folder, *data_sets):
    """A folder with these files."""
    folder.mkdir()
    for number, data_set in enumerate(data_sets):
        data_set.save_as(folder / f"{number}.dcm", enforce_file_format=True)
    return folder


def loaded(folder, *data_sets):
    """The image of a folder with these files, and that of its archive."""
    written(folder, *data_sets)
    dicube.pack(folder, folder.with_suffix(".dcbs")).raise_errors()
    return dicube.load_from_dicom_folder(folder), dicube.load(folder.with_suffix(".dcbs"))


def codes(meta):
    return [finding.code for finding in dicube.check(meta)]


def test_files_of_one_frame_each_are_described_by_their_functional_groups_too(volume, tmp_path):
    uids = generate_uid(), generate_uid()
    files = [enhanced(i + 1, i, volume[i : i + 1], uids, own_slopes=True) for i in range(7)]
    for image in loaded(tmp_path / "series", *files):
        np.testing.assert_allclose(image.get_fdata("float64"), [frame * (i + 1.0) for i, frame in enumerate(volume)])
        assert image.space is not None and image.space.spacing == (STEP, 0.75, 0.5), image.space_problem
        assert image.dicom_status is dicube.DicomStatus.CONSISTENT and codes(image) == []


def test_an_object_without_pixels_does_not_stand_for_a_frame(volume, tmp_path):
    uids = generate_uid(), generate_uid()
    raw = enhanced(2, 0, volume[:1], uids)
    for keyword in ("Rows", "Columns", "SamplesPerPixel", "NumberOfFrames", "PhotometricInterpretation", "BitsAllocated", "BitsStored",
                    "HighBit", "PixelRepresentation", "PixelData", "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"):  # fmt: skip
        delattr(raw, keyword)
    for image in loaded(tmp_path / "series", enhanced(1, 0, volume[:2], uids, own_slopes=True), raw):
        np.testing.assert_allclose(image.get_fdata("float64"), [volume[0] * 1.0, volume[1] * 2.0 - 1])
        assert image.space is not None and image.space.shape == (2, ROWS, COLUMNS), image.space_problem


@pytest.mark.parametrize("edit", [
    lambda meta: meta.set_shared_item("RescaleSlope", 10),
    lambda meta: meta.remove("RescaleSlope"),
    lambda meta: meta.set_shared_item("PixelSpacing", [2, 2]),
    lambda meta: meta.set_nonshared_item("ImagePositionPatient", [[0, 0, 0], [0, 0, 9]]),
    lambda meta: meta.set_nonshared_item("FrameComments", ["\u00e9", None]),
    lambda meta: (meta.set_shared_item("FrameComments", "x"), meta.remove("ImagePositionPatient"), meta.set_shared_item("RescaleType", "\u00fc")),
])  # fmt: skip
def test_what_stands_in_the_groups_is_edited_there_for_all_frames_of_a_file(image, tmp_path, edit):
    meta = image.dicom_meta
    edit(meta)
    tags = ("RescaleSlope", "PixelSpacing", "ImagePositionPatient", "FrameComments", "FrameAcquisitionNumber", "SliceThickness", "RescaleType")
    expected, values = [meta.get_frame_values(tag) for tag in tags], image.get_fdata()
    dicube.save(image, tmp_path / "edited.dcbs")
    again = dicube.load(tmp_path / "edited.dcbs")
    assert [again.dicom_meta.get_frame_values(tag) for tag in tags] == expected and not set(meta._edits()) & set(GROUPS)
    np.testing.assert_array_equal(again.get_fdata(), values)
    dicube.save_to_dicom_folder(image, tmp_path / "edited")
    for number in range(2):
        data_set = pydicom.dcmread(tmp_path / "edited" / f"slice_{number:04d}.dcm")
        assert "RescaleSlope" not in data_set and "PixelSpacing" not in data_set and "ImagePositionPatient" not in data_set
        assert data_set.PerFrameFunctionalGroupsSequence[0].FrameContentSequence[0].FrameAcquisitionNumber == 4 * number


def test_what_frames_do_not_have_or_have_so_can_be_set_and_so_can_the_groups(image, tmp_path):
    image.dicom_meta.set_shared_item("KVP", 120)
    image.dicom_meta.set_shared_item("RescaleSlope", 3)
    groups = image.dicom_meta.get_values("SharedFunctionalGroupsSequence")
    for items in groups:
        items[0]["PixelValueTransformationSequence"][0]["RescaleSlope"] = 3
    image.dicom_meta.set_nonshared_item("SharedFunctionalGroupsSequence", groups)
    dicube.save(image, tmp_path / "edited.dcbs")
    again = dicube.load(tmp_path / "edited.dcbs")
    assert again.dicom_meta["KVP"] == 120
    np.testing.assert_array_equal(again.get_fdata(), image.raw_image * 3.0 - 1024)


def test_sequences_inside_the_groups_have_values_of_frames_too(volume, tmp_path):
    data_set = enhanced(1, 0, volume[:3], (generate_uid(), generate_uid()))
    region = item(AnatomicRegionSequence=Sequence([item(CodeValue="T-D1100", CodeMeaning="Head")]), FrameLaterality="U")
    data_set.SharedFunctionalGroupsSequence[0].FrameAnatomySequence = Sequence([region])
    source = item(ReferencedSOPInstanceUID="1.2.3")
    data_set.PerFrameFunctionalGroupsSequence[1].DerivationImageSequence = Sequence([item(SourceImageSequence=Sequence([source]))])
    for image in loaded(tmp_path / "series", data_set):
        meta = image.dicom_meta
        assert meta.get_frame_values("AnatomicRegionSequence") == [[{"CodeValue": "T-D1100", "CodeMeaning": "Head"}]] * 3
        assert meta.get_frame_values("SourceImageSequence") == [None, [{"ReferencedSOPInstanceUID": "1.2.3"}], None]
        assert [len(items) for items in meta.get_frame_values("PlanePositionSequence")] == [1, 1, 1]
        assert meta.get_frame_values("DeidentificationMethodCodeSequence") == [None] * 3


def test_private_sequences_inside_the_groups_say_nothing_of_the_frame(volume, tmp_path):
    data_set = enhanced(1, 0, volume[:3], (generate_uid(), generate_uid()))
    for number, frame in enumerate(data_set.PerFrameFunctionalGroupsSequence):
        block = frame.private_block(0x2005, "A SCANNER", create=True)
        old = item(PixelSpacing=[9, 9], ImagePositionPatient=[7, 7, 7], SOPInstanceUID=f"1.2.{number}", EchoTime=5)
        old.private_block(0x2005, "A SCANNER", create=True).add_new(0x01, "LO", f"scan {number}")
        block.add_new(0x0F, "SQ", [old])
    for image in loaded(tmp_path / "series", data_set):
        for meta in (image.dicom_meta, dicube.DicomMeta.from_json(image.dicom_meta.to_json())):
            assert meta.get_frame_values("PixelSpacing") == [[0.75, 0.5]] * 3
            assert meta.get_frame_values("ImagePositionPatient") == [[-10, -20, 5 + STEP * i] for i in range(3)]
            assert meta.get_frame_values("SOPInstanceUID") == [data_set.SOPInstanceUID] * 3
            assert meta.get_frame_values("EchoTime") == [None] * 3
            assert meta.get_frame_values("2005,1001") == ["scan 0", "scan 1", "scan 2"]
        assert image.space is not None and codes(image) == []


def moved(data_set, heights):
    """The object with its frames at these heights."""
    for frame, z in zip(data_set.PerFrameFunctionalGroupsSequence, heights):
        frame.PlanePositionSequence[0].ImagePositionPatient = [-10, -20, z]
    return data_set


@pytest.mark.parametrize("heights, status, code, message", [
    ([0, 1.5, 3, 7.5, 9, 10.5, 12], dicube.DicomStatus.GAP_LOCATION, "gap_in_positions", "4.5 mm where 1.5 mm are usual (frame 3)"),
    ([0, 1.5, 3, 3, 4.5, 6, 7.5], dicube.DicomStatus.DWELLING_LOCATION, "duplicate_positions", "7 slices lie at 6 positions (frames 2, 3)"),
    ([0, 3, 1.5, 4.5, 6, 7.5, 9], dicube.DicomStatus.REVERSED_LOCATION, "order_reverses", "the frames go back through the patient at 1 slice (frame 2)"),
    ([0.2 * i * i for i in range(7)], dicube.DicomStatus.GAP_LOCATION, "gap_in_positions", "where 1.4 mm are usual"),
])  # fmt: skip
def test_frames_that_do_not_lie_evenly_are_found(volume, tmp_path, heights, status, code, message):
    for image in loaded(tmp_path / "series", moved(enhanced(1, 0, volume, (generate_uid(), generate_uid())), heights)):
        found = {finding.code: finding for finding in dicube.check(image)}
        assert image.space is None and image.dicom_status is status
        assert message in found[code].message and found[code].slices == [0]
    with dicube.open(tmp_path / "series.dcbs") as archive:
        assert archive.findings == dicube.check(archive)


def test_frames_of_several_volumes_are_no_gaps(volume, tmp_path):
    data_set = moved(enhanced(1, 0, volume[:6], (generate_uid(), generate_uid())), [0, 1.5, 3] * 2)
    for image in loaded(tmp_path / "series", data_set):
        assert codes(image) == ["repeated_positions"] and image.dicom_status is dicube.DicomStatus.REVERSED_LOCATION
        assert image.space_problem == "2 volumes of 3 slices each in one series"


def test_frames_of_a_segmentation_need_not_lie_evenly(volume, tmp_path):
    data_set = moved(enhanced(1, 0, volume[:4], (generate_uid(), generate_uid())), [0, 1.5, 6, 1.5])
    data_set.Modality = "SEG"
    for image in loaded(tmp_path / "series", data_set):
        assert codes(image) == [] and image.dicom_status is dicube.DicomStatus.CONSISTENT


def test_several_objects_are_one_row_of_frames(volume, tmp_path):
    uids = generate_uid(), generate_uid()
    parts = [enhanced(1, 0, volume[:4], uids), moved(enhanced(2, 4, volume[4:], uids), [5 + STEP * i for i in (5, 6, 7)])]
    for image in loaded(tmp_path / "series", *parts):
        (gap,) = dicube.check(image)
        assert (gap.code, gap.slices) == ("gap_in_positions", [1]) and gap.message.endswith("(frame 4)")


def classic(number, frames, **values):
    """An object whose data set alone says where it lies: of `frames` frames."""
    data_set = enhanced(number, 0, np.zeros((frames, ROWS, COLUMNS), np.int16), ("1.2.3.4", "1.2.3.5"))
    del data_set.SharedFunctionalGroupsSequence, data_set.PerFrameFunctionalGroupsSequence
    values = {"PixelSpacing": [0.75, 0.5], "ImageOrientationPatient": [1, 0, 0, 0, 1, 0], "ImagePositionPatient": [-10, -20, 5], **values}
    for keyword, value in values.items():
        setattr(data_set, keyword, value)
    return data_set


@pytest.mark.parametrize("offsets, orientation, spacing, z", [
    ([0, 3, 6, 9], [1, 0, 0, 0, 1, 0], 3, 1),
    ([0, -3, -6, -9], [1, 0, 0, 0, 1, 0], 3, -1),
    ([0, 2.5, 5, 7.5], [1, 0, 0, 0, -1, 0], 2.5, -1),
    ([5, 8, 11, 14], [1, 0, 0, 0, 1, 0], 3, 1),  # z in the patient
    ([5, 2, -1, -4], [1, 0, 0, 0, 1, 0], 3, -1),
])  # fmt: skip
def test_a_dose_has_a_grid(tmp_path, offsets, orientation, spacing, z):
    data_set = classic(1, 4, Modality="RTDOSE", GridFrameOffsetVector=offsets, ImageOrientationPatient=orientation)
    for image in loaded(tmp_path / "series", data_set):
        space = image.space
        assert space is not None, image.space_problem
        assert space.shape == (4, ROWS, COLUMNS) and space.spacing == (spacing, 0.75, 0.5) and space.origin == (-10, -20, 5)
        assert space.x_orientation == (0, 0, z)
        assert dicube.dicom.get_space_from_DicomMeta(image.dicom_meta, "zyx") == space
        assert image.dicom_status is dicube.DicomStatus.CONSISTENT and codes(image) == []


@pytest.mark.parametrize("offsets", [[0, 3, 6], [1, 4, 7, 10], [0, 3, 7, 9], 0])
def test_a_dose_whose_planes_are_not_where_they_can_be_has_none(tmp_path, offsets):
    for image in loaded(tmp_path / "series", classic(1, 4, Modality="RTDOSE", GridFrameOffsetVector=offsets)):
        assert image.space is None and image.space_problem


@pytest.mark.parametrize("bits", [16, 32])
@pytest.mark.parametrize("frames", [1, 3])
def test_a_dose_has_the_values_of_its_scaling(tmp_path, frames, bits):
    data_set = classic(1, frames, Modality="RTDOSE", DoseGridScaling="0.25e-3", DoseUnits="GY", GridFrameOffsetVector=[0, 3, 6][:frames])
    pixels = np.arange(frames * ROWS * COLUMNS).reshape(frames, ROWS, COLUMNS) + 60000
    data_set.PixelData, data_set.PixelRepresentation = pixels.astype(f"<u{bits // 8}").tobytes(), 0
    data_set.BitsAllocated, data_set.BitsStored, data_set.HighBit = bits, bits, bits - 1
    for image in loaded(tmp_path / "series", data_set):
        expected = pixels * 0.25e-3
        np.testing.assert_allclose(image.get_fdata("float64"), expected, rtol=1e-7)
        assert image.pixel_header.RescaleSlope == 0.25e-3 and image.space.shape == (frames, ROWS, COLUMNS)
        dicube.save(image, tmp_path / "x.dcbs")
        np.testing.assert_allclose(dicube.load(tmp_path / "x.dcbs").get_fdata("float64"), expected, rtol=1e-7)
        image.pixel_header.RescaleSlope = 2.0
        with pytest.raises(dicube.exceptions.UnsupportedError, match="edit DoseGridScaling"):
            dicube.save(image, tmp_path / "x.dcbs")
        image.pixel_header.RescaleSlope = 0.25e-3
        image.dicom_meta.set_shared_item("DoseGridScaling", 0.5)
        np.testing.assert_array_equal(image.get_fdata("float64"), pixels * 0.5)
        image.init_meta("OT")
        dicube.save(image, tmp_path / "x.dcbs")
        np.testing.assert_array_equal(dicube.load(tmp_path / "x.dcbs").get_fdata("float64"), pixels * 0.5)


def test_a_factor_of_doses_is_none_of_other_images(tmp_path):
    for image in loaded(tmp_path / "series", classic(1, 2, DoseGridScaling="0.25", RescaleSlope=3)):
        assert image.pixel_header.RescaleSlope == 3


def nuclear(frames, kind="RECON TOMO", orientation=(1, 0, 0, 0, 1, 0), **values):
    """A nuclear medicine object, which says in a detector's item where its first slice lies."""
    detectors = [item(ImagePositionPatient=[-10, -20, 5], ImageOrientationPatient=list(orientation)), item(CollimatorType="PARA")]
    given = {"ImageType": ["DERIVED", "PRIMARY", kind, "EMISSION"], "FrameIncrementPointer": 0x00540080, "DetectorInformationSequence": Sequence(detectors),
             "SliceVector": list(range(1, frames + 1)), "SpacingBetweenSlices": 3, **values}  # fmt: skip
    data_set = classic(1, frames, Modality="NM", **given)
    data_set.SOPClassUID = data_set.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.20"
    del data_set.ImagePositionPatient, data_set.ImageOrientationPatient
    return data_set


@pytest.mark.parametrize("orientation", [(1, 0, 0, 0, 1, 0), (1, 0, 0, 0, -1, 0), (0, 1, 0, 0, 0, -1)])
@pytest.mark.parametrize("gap", [3, -3])
@pytest.mark.parametrize("slices", [[1, 2, 3, 4], [4, 3, 2, 1], None])
def test_a_nuclear_medicine_reconstruction_has_a_grid(tmp_path, orientation, gap, slices):
    data_set = nuclear(4, orientation=orientation, SpacingBetweenSlices=gap, SliceVector=slices)
    for image in loaded(tmp_path / "series", data_set):
        space = image.space
        assert space is not None, image.space_problem
        assert space.shape == (4, ROWS, COLUMNS) and space.spacing == (3, 0.75, 0.5) and space.origin == (-10, -20, 5)
        normal = np.cross(orientation[:3], orientation[3:]) * np.sign(gap) * (-1 if slices and slices[0] == 4 else 1)
        np.testing.assert_array_equal(space.x_orientation, normal)
        assert space.y_orientation == tuple(orientation[3:]) and space.z_orientation == tuple(orientation[:3])
        assert image.dicom_status is dicube.DicomStatus.CONSISTENT and codes(image) == []
    if slices is None or slices[0] == 1:
        theirs = pytest.importorskip("SimpleITK").ReadImage(str(next((tmp_path / "series").iterdir())))
        np.testing.assert_allclose(theirs.GetOrigin(), space.origin)
        np.testing.assert_allclose(theirs.GetSpacing(), space.spacing[::-1])
        axes = np.array([space.z_orientation, space.y_orientation, space.x_orientation])
        np.testing.assert_allclose(np.array(theirs.GetDirection()).reshape(3, 3), axes.T, atol=1e-9)


def test_new_metadata_of_a_reconstruction_has_its_grid_and_a_moved_one_is_refused(tmp_path):
    data_set = nuclear(4)
    data_set.DetectorInformationSequence = data_set.DetectorInformationSequence[::-1]
    for image in loaded(tmp_path / "series", data_set):
        space = image.space
        image.space = dicube.Space(**{**vars(space), "origin": (1.0, 2.0, 3.0)})
        with pytest.raises(dicube.exceptions.UnsupportedError, match="space of images of several frames"):
            dicube.save(image, tmp_path / "x.dcbs")
        image.space = space
        image.init_meta("NM")
        dicube.save(image, tmp_path / "x.dcbs")
        assert dicube.load(tmp_path / "x.dcbs").space == space


@pytest.mark.parametrize("values, why", [
    ({"kind": "TOMO"}, "images of type TOMO are what a camera saw"),
    ({"kind": "WHOLE BODY"}, "images of type WHOLE BODY are what a camera saw"),
    ({"ImageType": None}, r"images of type \? are"),
    ({"SpacingBetweenSlices": None}, "do not say where the slices"),
    ({"SliceVector": [1, 2]}, "do not say where the slices"),
    ({"DetectorInformationSequence": None}, "do not say where the slices"),
    ({"kind": "RECON GATED TOMO", "SliceVector": [1, 2, 1, 2]}, "2 volumes of 2 slices each"),
])  # fmt: skip
def test_nuclear_medicine_without_a_grid_says_why(tmp_path, values, why):
    for image in loaded(tmp_path / "series", nuclear(4, **values)):
        assert image.space is None and re.search(why, image.space_problem), image.space_problem


def test_metadata_alone_has_the_images_space(image, tmp_path):
    assert dicube.dicom.get_space_from_DicomMeta(image.dicom_meta, axis_order="zyx") == image.space
    assert dicube.dicom.get_space_from_DicomMeta(image.dicom_meta.index(1), axis_order="zyx").shape == (3, ROWS, COLUMNS)
    files = [classic(i + 1, 2, ImagePositionPatient=[0, 0, 2 * i]) for i in range(3)]
    for twice in loaded(tmp_path / "twice", *files):
        assert twice.space is None and dicube.dicom.get_space_from_DicomMeta(twice.dicom_meta) is None


def test_a_size_beyond_64_bits_is_none_of_an_empty_array(tmp_path):
    from pydicom.encaps import encapsulate

    data_set = pydicom.Dataset()
    data_set.SOPClassUID, data_set.SOPInstanceUID, data_set.SeriesInstanceUID = "1.2.840.10008.5.1.4.1.1.7", "1.2.3", "1.2.4"
    data_set.Rows = data_set.Columns = data_set.SamplesPerPixel = 1 << 15
    data_set.BitsAllocated, data_set.BitsStored, data_set.HighBit, data_set.PixelRepresentation = 64, 64, 63, 0
    data_set.PhotometricInterpretation, data_set.PixelData = "MONOCHROME2", encapsulate([bytes(64)])
    data_set["PixelData"].VR = "OB"
    data_set["PixelData"].is_undefined_length = True
    data_set.file_meta = pydicom.dataset.FileMetaDataset()
    data_set.file_meta.TransferSyntaxUID = pydicom.uid.RLELossless
    (tmp_path / "in").mkdir()
    data_set.save_as(tmp_path / "in" / "a.dcm", enforce_file_format=True)
    dicube.pack(tmp_path / "in", tmp_path / "x.dcbs").raise_errors()
    archive = dicube._core.Archive.open(str(tmp_path / "x.dcbs"))
    with pytest.raises(ValueError, match="size of the frames"):  # 65,536 x 2^48 bytes
        archive.read_frames([0] * 65536, np.empty(0, np.uint8), 1)
    with dicube.open(tmp_path / "x.dcbs") as archive:
        with pytest.raises(ValueError, match="array is too big"):
            dicube.archive.read_frames(archive._source, [0] * 65536)
        with pytest.raises(MemoryError, match="Unable to allocate"):
            archive[[0] * 65536]  # a frame that is named more than once is decoded once


@pytest.mark.parametrize("edit, error", [
    (lambda meta: meta.set_shared_item("SliceThickness", [1, 2]), "SliceThickness.*1 is needed"),
    (lambda meta: meta.set_shared_item("PixelSpacing", "wide"), "PixelSpacing"),
    (lambda meta: meta.set_shared_item("PixelMeasuresSequence", [{"PixelSpacing": [1, 2]}]), "edit SharedFunctionalGroupsSequence"),
    (lambda meta: meta.remove("PlanePositionSequence"), "edit SharedFunctionalGroupsSequence"),
])  # fmt: skip
def test_what_is_no_value_and_sequences_of_frames_are_refused(image, tmp_path, edit, error):
    edit(image.dicom_meta)
    with pytest.raises(dicube.DicomCubeError, match=re.compile(error, re.DOTALL)):
        dicube.save(image, tmp_path / "edited.dcbs")
    assert not (tmp_path / "edited.dcbs").exists()


def test_an_edit_is_made_in_the_groups_of_one_file_and_in_the_data_set_of_another(volume, tmp_path):
    plain = classic(2, 1)
    del plain.ImagePositionPatient, plain.PixelSpacing, plain.ImageOrientationPatient
    for image in loaded(tmp_path / "series", enhanced(1, 0, volume[:2], ("1.2.3.4", "1.2.3.5")), plain):
        image.dicom_meta.set_shared_item("PixelSpacing", [2, 3])
        dicube.save_to_dicom_folder(image, tmp_path / "edited")
        files = [pydicom.dcmread(tmp_path / "edited" / f"slice_000{i}.dcm") for i in range(2)]
        assert files[0].SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].PixelSpacing == files[1].PixelSpacing == [2, 3]
