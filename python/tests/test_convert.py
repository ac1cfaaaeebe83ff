"""From one archive to another: codecs, losses with a bound, format version 1."""

import io
import os

import numpy as np
import pydicom
import pytest

import dicube
from conftest import phantom, sha256s


@pytest.mark.parametrize("codec", ["htj2k", "lane", "zstd"])
def test_another_codec_keeps_every_byte(archive_path, tmp_path, codec):
    report = dicube.convert(archive_path, tmp_path / "new.dcbs", codec=codec)
    assert (report.codec, report.instances, report.frames, report.skipped, report.error) == (codec, 6, 6, False, None)
    assert report.archive == str(tmp_path / "new.dcbs") and report.archive_bytes == (tmp_path / "new.dcbs").stat().st_size
    with dicube.open(archive_path) as old, dicube.open(tmp_path / "new.dcbs") as new:
        assert new.files == old.files and [new.read_file(i) for i in range(6)] == [old.read_file(i) for i in range(6)]
        assert {new.codec(i) for i in range(6)} == {codec} and new.info["lossy"] is False


@pytest.mark.parametrize("bound", [{"max_error": 3}, {"ratio": 6.0}])
def test_a_loss_has_a_bound_and_says_so(archive_path, tmp_path, bound):
    dicube.convert(archive_path, tmp_path / "new.dcbl", **bound)
    with dicube.open(archive_path) as old, dicube.open(tmp_path / "new.dcbl") as new:
        error = np.abs(np.asarray(old).astype(int) - np.asarray(new)).max()
        assert error > 0 and new.info["lossy"] is True
        if "max_error" in bound:
            assert error <= 3
        first = pydicom.dcmread(io.BytesIO(new.read_file(0)))
        assert first.LossyImageCompression == "01" and first.SOPInstanceUID != old.meta["SOPInstanceUID"][0]
    assert not dicube.verify(tmp_path / "new.dcbl").errors


def test_format_version_1_is_written_and_read(archive_path, tmp_path):
    assert dicube.convert(archive_path, tmp_path / "old.dcbs", to_version1=True).frames == 6
    np.testing.assert_array_equal(dicube.load(tmp_path / "old.dcbs").get_fdata(), dicube.load(archive_path).get_fdata())
    dicube.convert(tmp_path / "old.dcbs", tmp_path / "again.dcbs")
    assert dicube.load_meta(tmp_path / "again.dcbs")["PatientName"] == "Doe^Jane"
    with pytest.raises(dicube.exceptions.UsageError, match="version 1 already"):
        dicube.convert(tmp_path / "old.dcbs", tmp_path / "x.dcbs", to_version1=True)


def test_what_makes_no_sense_is_refused(archive_path, tmp_path):
    new, lossy = tmp_path / "new.dcbs", tmp_path / "new.dcbl"
    for out, arguments in [
        (new, {"max_error": 2}), (lossy, {}), (lossy, {"max_error": 2, "ratio": 3}), (lossy, {"max_error": -1}), (lossy, {"max_error": 70000}),
        (lossy, {"max_error": 10**30}), (lossy, {"ratio": 0.5}), (lossy, {"ratio": float("nan")}), (lossy, {"ratio": -3.0}),
        (lossy, {"max_error": 1, "to_version1": True}), (new, {"codec": "zip"}), (new, {"on_conflict": "maybe"}), ("", {}), ("a\0b.dcbs", {}),
    ]:  # fmt: skip
        with pytest.raises(dicube.exceptions.UsageError):
            dicube.convert(archive_path, out, **arguments)
    for wrong in [{"max_error": 1.5}, {"max_error": "2"}, {"max_error": None}, {"ratio": "x"}, {"codec": 5}, {"on_conflict": None}, {"progress": 3}]:
        with pytest.raises(TypeError, match=next(iter(wrong))):
            dicube.convert(archive_path, lossy, **wrong)
    with pytest.raises(TypeError, match="archive"):
        dicube.convert(None, new)
    with pytest.raises(FileNotFoundError):
        dicube.convert(tmp_path / "none.dcbs", new)
    (tmp_path / "junk.dcbs").write_bytes(b"junk" * 100)
    with pytest.raises(dicube.InvalidCubeFileError):
        dicube.convert(tmp_path / "junk.dcbs", new)
    assert os.listdir(tmp_path) == ["junk.dcbs"]


def test_an_existing_archive_is_not_replaced_unasked(archive_path, tmp_path):
    new = tmp_path / "new.dcbs"
    new.write_bytes(b"mine")
    with pytest.raises(FileExistsError):
        dicube.convert(archive_path, new)
    assert dicube.convert(archive_path, new, on_conflict="skip").skipped and new.read_bytes() == b"mine"
    assert not dicube.convert(archive_path, new, on_conflict="overwrite").skipped and dicube.load(new).shape == (6, 40, 48)


def test_progress_is_told_and_may_stop_it(archive_path, tmp_path):
    seen = []
    dicube.convert(archive_path, tmp_path / "a.dcbs", progress=seen.append)
    assert seen and {p.phase for p in seen} <= {"pack", "prove"}

    def stop(progress):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        dicube.convert(archive_path, tmp_path / "b.dcbs", progress=stop)
    assert set(os.listdir(tmp_path)) <= {"a.dcbs", "b.dcbs"}  # on a busy machine the work may end before the exception arrives


# ------------------------------------------------------------------ save as lossy


def test_a_lossy_archive_is_saved_by_its_bound_alone(archive_path, tmp_path):
    image = dicube.load(archive_path)
    with pytest.raises(dicube.exceptions.UsageError, match="max_error="):
        dicube.save(image, tmp_path / "x", "l")
    for file_type in ("s", "a"):
        with pytest.raises(dicube.exceptions.UsageError, match="file_type='l'"):
            dicube.save(image, tmp_path / "x", file_type, max_error=2)
    for bound in ({"max_error": -1}, {"max_error": 1.5}, {"ratio": 0.1}, {"max_error": 2, "ratio": 2}):
        with pytest.raises((ValueError, TypeError)):
            dicube.save(image, tmp_path / "x", "l", **bound)
    assert os.listdir(tmp_path) == []
    dicube.save(image, tmp_path / "x", "l", max_error=2)
    lossy = dicube.load(tmp_path / "x.dcbl")
    assert os.listdir(tmp_path) == ["x.dcbl"] and dicube.open(tmp_path / "x.dcbl").info["lossy"]
    assert 0 < np.abs(lossy.raw_image.astype(int) - image.raw_image).max() <= 2
    array = phantom(3)
    dicube.save(array, tmp_path / "y", "l", ratio=4)
    assert dicube.load(tmp_path / "y.dcbl").shape == array.shape


def test_what_was_lossy_is_not_saved_as_if_it_were_not(archive_path, tmp_path):
    dicube.convert(archive_path, tmp_path / "x.dcbl", max_error=2)
    image = dicube.load(tmp_path / "x.dcbl")
    with pytest.raises(dicube.exceptions.UsageError, match="lossy"):
        dicube.save(image, tmp_path / "y", "s")
    dicube.save(image, tmp_path / "y", "l")
    assert (tmp_path / "y.dcbl").read_bytes() == (tmp_path / "x.dcbl").read_bytes()
    image.dicom_meta.set_shared_item("PatientName", "A")
    with pytest.raises(dicube.exceptions.UsageError, match="bound"):
        dicube.save(image, tmp_path / "z", "l")


def test_lossy_archives_of_the_older_interface_need_the_bound_too(archive_path, tmp_path):
    from dicube.storage.dcb_file import DcbLFile

    image = dicube.load(archive_path)
    with pytest.raises(dicube.exceptions.UsageError):
        DcbLFile(str(tmp_path / "x.dcbl"), "w").write(list(image.raw_image), image.pixel_header, image.dicom_meta)
    DcbLFile(str(tmp_path / "x.dcbl"), "w").write(list(image.raw_image), image.pixel_header, image.dicom_meta, max_error=1)
    assert dicube.open(tmp_path / "x.dcbl").info["lossy"]


def test_files_of_a_folder_are_what_convert_leaves(series, tmp_path):
    dicube.pack(series, tmp_path / "a.dcbs").raise_errors()
    dicube.convert(tmp_path / "a.dcbs", tmp_path / "b.dcbs", codec="zstd")
    dicube.unpack(tmp_path / "b.dcbs", tmp_path / "out")
    assert sha256s(tmp_path / "out") == sha256s(series)
