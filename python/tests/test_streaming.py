"""Frames as DICOM files of their own, for viewers: compressed, or native."""

import io
import shutil
import subprocess

import numpy as np
import pydicom
import pytest

import dicube
from conftest import corpus, phantom, sha256s

HTJ2K = "1.2.840.10008.1.2.4.202"


def test_a_slice_streams_as_htj2k_without_decoding(series, tmp_path):
    archive_path = tmp_path / "series.dcbs"
    dicube.pack(series, archive_path, codec="htj2k").raise_errors()
    pixels = phantom().raw_image
    with dicube.DcbStreamingReader(archive_path) as reader:
        assert reader.get_frame_count() == len(reader) == 6 and reader.get_metadata()["frame_count"] == 6
        for number in range(6):
            data_set = pydicom.dcmread(io.BytesIO(reader.get_dicom_for_frame(number)))
            assert data_set.file_meta.TransferSyntaxUID == reader.transfer_syntax_uid == HTJ2K
            assert data_set.InstanceNumber == number + 1
            np.testing.assert_array_equal(data_set.pixel_array, pixels[number])
        for wrong in (6, -1):
            with pytest.raises(IndexError):
                reader.get_dicom_for_frame(wrong)
    with pytest.raises(ValueError, match="closed"):
        reader.get_dicom_for_frame(0)


@pytest.mark.parametrize("codec", ["lane", "zstd"])
def test_a_slice_that_is_not_kept_as_htj2k_is_coded_so(tmp_path, codec):
    image = phantom(3, 256, 256)
    image.init_meta("CT", "Doe^Jane", "P1")
    dicube.save_to_dicom_folder(image, tmp_path / "series")
    dicube.pack(tmp_path / "series", tmp_path / "a.dcbs", codec=codec).raise_errors()
    with dicube.DcbStreamingReader(tmp_path / "a.dcbs") as reader:
        assert reader.transfer_syntax_uid == reader.get_metadata()["transfer_syntax"] == HTJ2K
        for number in range(3):
            data = reader.get_dicom_for_frame(number)
            source = tmp_path / "series" / f"slice_{number:04d}.dcm"
            assert len(data) < 0.55 * source.stat().st_size
            before, after = pydicom.dcmread(source), pydicom.dcmread(io.BytesIO(data))
            assert after.file_meta.TransferSyntaxUID == HTJ2K and after.SOPInstanceUID == before.SOPInstanceUID
            np.testing.assert_array_equal(after.pixel_array, before.pixel_array)
            for element in before:
                assert element.keyword == "PixelData" or after[element.tag] == element, element
            assert len(after) == len(before)


@pytest.mark.parametrize("codec", ["htj2k", "lane"])
def test_colour_streams_with_the_transform_that_viewers_take_for_granted(tmp_path, codec):
    numbers = phantom(1, 64, 64, np.uint8).raw_image[0].astype(int)
    light = np.stack([numbers + k for k in (0, 20, 30)], -1)
    palette = np.stack([np.clip(7 * numbers - k, 0, 255) for k in (0, 255, 510)], -1)
    raw = np.stack([light, palette]).astype(np.uint8)
    dicube.save_to_dicom_folder(dicube.DicomCubeImage(raw, dicube.PixelDataHeader()), tmp_path / "in")
    dicube.pack(tmp_path / "in", tmp_path / "x.dcbs", codec=codec).raise_errors()
    with dicube.DcbStreamingReader(tmp_path / "x.dcbs") as reader:
        frames = [pydicom.dcmread(io.BytesIO(reader.get_dicom_for_frame(number))) for number in range(2)]
    for after, pixels in zip(frames, raw):
        assert after.PhotometricInterpretation == "YBR_RCT"
        assert after.PixelData[after.PixelData.index(b"\xff\x52") + 8] == 1  # of COD: transformed
        np.testing.assert_array_equal(after.pixel_array, pixels)
    dicube.unpack(tmp_path / "x.dcbs", tmp_path / "out")
    assert sha256s(tmp_path / "out") == sha256s(tmp_path / "in")


@pytest.mark.parametrize("dtype", ["uint32", "int32", "float32", "float64"])
def test_what_htj2k_does_not_hold_streams_as_its_original_file(tmp_path, dtype):
    image = dicube.DicomCubeImage(phantom(2).raw_image.astype(dtype), dicube.PixelDataHeader())
    dicube.save(image, tmp_path / "x.dcbs")
    with dicube.DcbStreamingReader(tmp_path / "x.dcbs") as reader, dicube.open(tmp_path / "x.dcbs") as archive:
        assert reader.get_dicom_for_frame(1) == archive.read_file(1) and reader.transfer_syntax_uid == "1.2.840.10008.1.2.1"


def _twelve_bits(folder, overlay):
    """Slices with bits above Bits Stored: an overlay, or nothing that is said."""
    image = dicube.DicomCubeImage(phantom(2, dtype=np.uint16).raw_image, dicube.PixelDataHeader())
    image.init_meta("OT")
    dicube.save_to_dicom_folder(image, folder)
    for path in folder.iterdir():
        data_set = pydicom.dcmread(path)
        data_set.BitsStored, data_set.HighBit = 12, 11
        data_set.PixelData = ((data_set.pixel_array & 0xFFF) | 0x8000).tobytes()
        if overlay:
            data_set.add_new(0x60000100, "US", 1)
            data_set.add_new(0x60000102, "US", 15)
        data_set.save_as(path)


@pytest.mark.parametrize("overlay", [False, True])
def test_bits_above_the_stored_ones_go_unless_they_are_an_overlay(tmp_path, overlay):
    _twelve_bits(tmp_path / "in", overlay)
    dicube.pack(tmp_path / "in", tmp_path / "a.dcbs").raise_errors()
    source = pydicom.dcmread(tmp_path / "in" / "slice_0000.dcm")
    with dicube.DcbStreamingReader(tmp_path / "a.dcbs") as reader:
        data = reader.get_dicom_for_frame(0)
        if overlay:
            assert data == (tmp_path / "in" / "slice_0000.dcm").read_bytes()
            return
        after = pydicom.dcmread(io.BytesIO(data))
    values = np.frombuffer(source.PixelData, "<u2").reshape(after.Rows, after.Columns)
    assert after.file_meta.TransferSyntaxUID == HTJ2K and (after.BitsStored, after.HighBit) == (12, 11)
    np.testing.assert_array_equal(after.pixel_array, values & 0xFFF)


@pytest.mark.parametrize("name", ["jpeg-ls", "rle", "jpeg2000"])
def test_a_compressed_source_streams_as_it_is_or_decoded(archive_path, tmp_path, name):
    dicube.unpack(archive_path, tmp_path / "in", transfer_syntax=name)
    dicube.pack(tmp_path / "in", tmp_path / "a.dcbs").raise_errors()
    with dicube.DcbStreamingReader(tmp_path / "a.dcbs") as reader:
        assert reader.get_dicom_for_frame(2) == (tmp_path / "in" / "slice_0002.dcm").read_bytes()
        assert reader.transfer_syntax_uid == pydicom.dcmread(tmp_path / "in" / "slice_0002.dcm").file_meta.TransferSyntaxUID
    with dicube.DcbStreamingReader(tmp_path / "a.dcbs", force_uncompressed=True) as reader:
        after = pydicom.dcmread(io.BytesIO(reader.get_dicom_for_frame(2)))
        assert after.file_meta.TransferSyntaxUID == reader.transfer_syntax_uid == "1.2.840.10008.1.2.1"
    np.testing.assert_array_equal(after.pixel_array, phantom().raw_image[2])


def test_a_slice_streams_uncompressed_on_demand(archive_path, series):
    with dicube.DcbStreamingReader(archive_path, force_uncompressed=True) as reader:
        assert reader.get_dicom_for_frame(2) == (series / "slice_0002.dcm").read_bytes()


@pytest.mark.parametrize("folder", ["ctkdata/Data", "chafey-htj2k", "dicube-testdata/sample_10", "pycerr", "highdicom/data", "suyashkumar", "dcm_qa_12bit", "dcm_qa_enh"])
def test_streamed_frames_have_the_sources_pixels(folder, tmp_path):
    files = [p for p in sorted(corpus(folder).rglob("*")) if p.is_file()]
    checked = 0
    for path in files[:: max(1, len(files) // 6)]:
        try:
            before = pydicom.dcmread(path)
            expected = before.pixel_array
        except Exception:
            continue
        out = tmp_path / f"{path.stem}.dcbs"
        report = dicube.pack(path, out)
        if not report.series or report.series[0].frames == 0:
            continue
        with dicube.DcbStreamingReader(out) as reader:
            for number in {0, len(reader) - 1}:
                data_set = pydicom.dcmread(io.BytesIO(reader.get_dicom_for_frame(number)))
                wanted = expected if len(reader) == 1 else expected[number]
                if data_set.PhotometricInterpretation in ("RGB", "YBR_RCT", "MONOCHROME1", "MONOCHROME2", "PALETTE COLOR"):
                    np.testing.assert_array_equal(np.squeeze(data_set.pixel_array), np.squeeze(wanted))
                    checked += 1
    assert checked > 0


def _decoded(command, path, out):
    """The pixels of the uncompressed file that `command` makes of one; skips where the tool is absent."""
    if shutil.which(command[0]) is None:
        pytest.skip(f"needs {command[0]}")
    subprocess.run([*command, path, out], check=True, capture_output=True)
    return pydicom.dcmread(out).pixel_array


@pytest.mark.parametrize("codec", ["htj2k", "lane"])
@pytest.mark.parametrize("force_uncompressed", [False, True])
def test_dcmtk_reads_streamed_slices(series, tmp_path, codec, force_uncompressed):
    dicube.pack(series, tmp_path / "a.dcbs", codec=codec).raise_errors()
    with dicube.DcbStreamingReader(tmp_path / "a.dcbs", force_uncompressed=force_uncompressed) as reader:
        (tmp_path / "slice.dcm").write_bytes(reader.get_dicom_for_frame(3))
    if shutil.which("dcmdump") is None:
        pytest.skip("needs dcmdump")
    done = subprocess.run(["dcmdump", "+Un", "-q", tmp_path / "slice.dcm"], capture_output=True, text=True)
    assert done.returncode == 0 and "[Doe^Jane]" in done.stdout, done.stderr
    if force_uncompressed:  # DCMTK 3.6 knows HTJ2K by its length of elements alone: it does not decode it
        np.testing.assert_array_equal(_decoded(["dcmconv"], tmp_path / "slice.dcm", tmp_path / "plain.dcm"), phantom().raw_image[3])


def test_gdcm_reads_streamed_slices_that_are_not_htj2k(archive_path, tmp_path):
    with dicube.DcbStreamingReader(archive_path, force_uncompressed=True) as reader:
        (tmp_path / "slice.dcm").write_bytes(reader.get_dicom_for_frame(3))
    np.testing.assert_array_equal(_decoded(["gdcmconv", "--raw"], tmp_path / "slice.dcm", tmp_path / "plain.dcm"), phantom().raw_image[3])


@pytest.mark.parametrize("force_uncompressed", [False, True])
def test_a_file_that_begins_without_prefix_streams_with_one(own_series, tmp_path, force_uncompressed):
    for path in own_series.iterdir():
        data = path.read_bytes()
        path.write_bytes(data[144 + int.from_bytes(data[140:144], "little") :])  # the data set alone
    dicube.pack(own_series, tmp_path / "x.dcbs").raise_errors()
    with dicube.DcbStreamingReader(tmp_path / "x.dcbs", force_uncompressed=force_uncompressed) as reader:
        data_set = pydicom.dcmread(io.BytesIO(reader.get_dicom_for_frame(2)))
        assert data_set.file_meta.TransferSyntaxUID == reader.transfer_syntax_uid == ("1.2.840.10008.1.2.1" if force_uncompressed else HTJ2K)
    assert data_set.file_meta.MediaStorageSOPInstanceUID == data_set.SOPInstanceUID
    np.testing.assert_array_equal(data_set.pixel_array, phantom().raw_image[2])


@pytest.mark.parametrize("force_uncompressed", [False, True])
def test_a_frame_of_a_deflated_multi_frame_file_streams_alone(tmp_path, force_uncompressed):
    values = phantom(3, dtype=np.uint16).raw_image
    dicube.save_to_dicom_folder(dicube.DicomCubeImage(values[:1], dicube.PixelDataHeader()), tmp_path)
    data_set = pydicom.dcmread(tmp_path / "slice_0000.dcm")
    data_set.NumberOfFrames, data_set.PixelData = 3, values.tobytes()
    data_set.file_meta.TransferSyntaxUID = pydicom.uid.DeflatedExplicitVRLittleEndian
    data_set.save_as(tmp_path / "slice_0000.dcm", enforce_file_format=True)
    dicube.pack(tmp_path, tmp_path / "x.dcbs").raise_errors()
    uids = set()
    with dicube.DcbStreamingReader(tmp_path / "x.dcbs", force_uncompressed=force_uncompressed) as reader:
        for number in range(3):
            frame = pydicom.dcmread(io.BytesIO(reader.get_dicom_for_frame(number)))
            assert frame.NumberOfFrames == 1 and not frame.file_meta.TransferSyntaxUID.is_deflated
            np.testing.assert_array_equal(frame.pixel_array, values[number])
            uids.add(frame.SOPInstanceUID)
    assert len(uids) == 3


def test_a_compressed_file_without_prefix_streams_with_one(archive_path, tmp_path):
    dicube.unpack(archive_path, tmp_path / "in", transfer_syntax="rle").raise_errors()
    for path in (tmp_path / "in").iterdir():
        path.write_bytes(path.read_bytes()[132:])
    dicube.pack(tmp_path / "in", tmp_path / "x.dcbs").raise_errors()
    with dicube.DcbStreamingReader(tmp_path / "x.dcbs") as reader:
        data_set = pydicom.dcmread(io.BytesIO(reader.get_dicom_for_frame(2)))
    assert data_set.file_meta.TransferSyntaxUID == pydicom.uid.RLELossless
    np.testing.assert_array_equal(data_set.pixel_array, phantom().raw_image[2])
