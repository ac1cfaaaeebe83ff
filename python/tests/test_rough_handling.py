"""Damaged files, odd names, closed and copied readers, forks, threads, interrupts: never a crash, never other pixels."""

import errno
import multiprocessing
import os
import pathlib
import pickle
import shutil
import signal
import subprocess
import sys
import threading
import time
import traceback

import numpy as np
import pydicom
import pytest

import dicube
from conftest import phantom, sha256s
from dicube.integrations import ArchiveDataset


def _everything(path, out):
    """Calls whatever reads an archive. Gives its pixels, where they can be read; only errors of the package pass."""
    pixels = None
    calls = [
        lambda: dicube.verify(path), lambda: dicube.load_meta(path).to_json(), lambda: dicube.check(dicube.load_meta(path)),
        lambda: dicube.get_dicom_status(dicube.load_meta(path)), lambda: dicube.open(path).info, lambda: dicube.open(path).files,
        lambda: dicube.open(path).frame(1, level=1), lambda: dicube.open(path).read_file(2), lambda: np.asarray(dicube.open(path)),
        lambda: dicube.DcbStreamingReader(path).get_dicom_for_frame(1), lambda: dicube.DcbStreamingReader(path, force_uncompressed=True).get_dicom_for_frame(0),
        lambda: dicube.unpack(path, out / "files", on_conflict="overwrite"), lambda: ArchiveDataset([path])[3],
        lambda: dicube.convert(path, out / "new.dcbs", codec="zstd", on_conflict="overwrite"), lambda: pickle.loads(pickle.dumps(dicube.open(path)))[0],
        lambda: _saved(path, out),
    ]  # fmt: skip
    for call in calls:
        try:
            call()
        except dicube.DicomCubeError as error:
            assert str(error)
    try:
        image = dicube.load(path)
        image.space, image.dicom_status, image.pixel_header, image.get_fdata()
        pixels = image.raw_image
    except dicube.DicomCubeError:
        pass
    return pixels


def _saved(path, out):
    image = dicube.load(path)
    image.dicom_meta.set_shared_item("PatientName", "A")
    dicube.save(image, out / "edited")


@pytest.mark.parametrize("codec", ["lane", "htj2k", "zstd"])
def test_random_damage_never_crashes_and_never_gives_other_pixels(series, tmp_path, codec):
    path = tmp_path / "x.dcbs"
    dicube.pack(series, path, codec=codec).raise_errors()
    whole, pixels = path.read_bytes(), dicube.load(path).raw_image
    rng = np.random.default_rng({"lane": 1, "htj2k": 2, "zstd": 3}[codec])
    refused = 0
    for _ in range(100):
        data = bytearray(whole)
        kind = rng.integers(0, 4)
        place = int(rng.integers(0, len(data)))
        if kind == 0:
            data[place] ^= 1 << int(rng.integers(0, 8))
        elif kind == 1:
            data[place : place + 8] = rng.bytes(min(8, len(data) - place))
        elif kind == 2:
            del data[place : place + int(rng.integers(1, 100))]
        else:
            data[place:place] = rng.bytes(int(rng.integers(1, 50)))
        path.write_bytes(data)
        found = _everything(path, tmp_path)
        refused += found is None
        assert found is None or np.array_equal(found, pixels)
    assert refused > 80


# ------------------------------------------------------------------- life


def test_what_is_closed_says_so_and_may_be_copied(archive_path):
    a, reader = dicube.open(archive_path), dicube.DcbStreamingReader(archive_path)
    meta = a.meta
    reader.get_dicom_for_frame(0)
    for thing in (a, reader):
        thing.close()
        thing.close()
    again = pickle.loads(pickle.dumps(a))
    for call in (lambda: a[0], lambda: a[0:2], lambda: a[[0, 1]], lambda: a[0, 1], lambda: a[0:2, 1], lambda: a[...], lambda: len(a), lambda: a.info, lambda: np.asarray(a), lambda: a.files, lambda: meta.get_values("PatientName"),
                 lambda: again[0], lambda: reader.get_dicom_for_frame(0), lambda: reader.get_dicom_for_frame(1)):  # fmt: skip
        with pytest.raises(dicube.exceptions.ClosedError, match="closed"):
            call()
    assert "closed" in repr(a) and "closed" in repr(again)


@pytest.mark.parametrize("make", ["open", "load", "load_meta", "folder", "bytes"])
def test_everything_that_is_open_pickles(archive_path, series, make):
    thing = {
        "open": lambda: dicube.open(archive_path), "load": lambda: dicube.load(archive_path), "load_meta": lambda: dicube.load_meta(archive_path),
        "folder": lambda: dicube.load_from_dicom_folder(series), "bytes": lambda: dicube.open(archive_path.read_bytes()),
    }[make]()  # fmt: skip
    again = pickle.loads(pickle.dumps(thing))
    meta = next(getattr(again, name) for name in ("dicom_meta", "meta") if hasattr(again, name)) if make != "load_meta" else again
    assert meta["PatientName"] == "Doe^Jane"
    if make != "load_meta":
        np.testing.assert_array_equal(np.asarray(again), phantom().raw_image)


def test_a_streaming_reader_pickles(archive_path):
    with dicube.DcbStreamingReader(archive_path) as reader:
        again = pickle.loads(pickle.dumps(reader))
        assert again.get_dicom_for_frame(2) == reader.get_dicom_for_frame(2)


def _in_child(queue, things):
    a, reader, meta = things
    queue.put((a[3].sum(), len(reader.get_dicom_for_frame(3)), meta["PatientName"]))


def test_open_readers_serve_forked_children(archive_path):
    things = dicube.open(archive_path), dicube.DcbStreamingReader(archive_path), dicube.load_meta(archive_path)
    expected = things[0][3].sum(), len(things[1].get_dicom_for_frame(3)), "Doe^Jane"
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    children = [context.Process(target=_in_child, args=(queue, things)) for _ in range(3)]
    for child in children:
        child.start()
    assert [queue.get(timeout=20) for _ in children] == [expected] * 3
    for child in children:
        child.join(20)
        assert child.exitcode == 0


def test_threads_share_readers_while_others_close_them(archive_path):
    expected = dicube.load(archive_path).raw_image
    a, reader, unexpected = dicube.open(archive_path), dicube.DcbStreamingReader(archive_path, cache_size=2), []

    def work(seed):
        rng = np.random.default_rng(seed)
        try:
            for number in rng.integers(0, 6, 60).tolist():
                if not np.array_equal(a[number], expected[number]):
                    unexpected.append(number)
                reader.get_dicom_for_frame(number)
                a.meta.get_values("InstanceNumber")
        except dicube.exceptions.ClosedError:
            pass
        except Exception as error:
            unexpected.append(error)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    time.sleep(0.02)
    a.close()
    reader.close()
    for thread in threads:
        thread.join()
    assert unexpected == []


@pytest.mark.parametrize("call", ["load(sys.argv[1] + '/x.dcbs')", "load_from_dicom_folder(sys.argv[1] + '/in')"])
def test_ctrl_c_stops_loading(tmp_path, call):
    raw = np.random.default_rng(1).integers(0, 4000, (100, 512, 512), np.uint16)
    image = dicube.DicomCubeImage(raw, dicube.PixelDataHeader())
    dicube.save(image, tmp_path / "x.dcbs")
    dicube.save_to_dicom_folder(image, tmp_path / "in")
    code = (
        "import dicube, signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); dicube.set_num_threads(1)\n"
        f"print('go', flush=True)\nwhile True: dicube.{call}"
    )
    process = subprocess.Popen([sys.executable, "-c", code, tmp_path], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "go\n"
    time.sleep(0.3)
    start = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert "KeyboardInterrupt" in errors and time.monotonic() - start < 20  # it never ends by itself; the machine may be busy


def test_a_program_ends_while_its_daemon_threads_read(archive_path):
    code = (
        "import dicube, sys, threading, time\n"
        "def read():\n"
        "    while True:\n"
        "        dicube.load(sys.argv[1]).dicom_meta['PatientName']\n"
        "for _ in range(3):\n"
        "    threading.Thread(target=read, daemon=True).start()\n"
        "time.sleep(0.2)"
    )
    done = subprocess.run([sys.executable, "-c", code, archive_path], capture_output=True, text=True)
    assert done.returncode == 0 and done.stderr == ""


def test_a_signal_handler_may_ask_for_values_where_it_interrupted_that():
    code = (
        "import signal, time\n"
        "from dicube import _threads\n"
        "_threads.set_num_threads(2)\n"
        "def call(*_): _threads.for_each(abs, range(100))\n"
        "signal.signal(signal.SIGALRM, call)\n"
        "signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)\n"
        "end = time.monotonic() + 2\n"
        "while time.monotonic() < end: call()\n"
        "signal.setitimer(signal.ITIMER_REAL, 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=20)
    assert done.returncode == 0 and done.stderr == ""


# ------------------------------------------------------------------ names


def test_names_that_are_no_utf8(series, tmp_path):
    folder = os.path.join(os.fsencode(tmp_path), b"caf\xe9")
    shutil.copytree(os.fsencode(series), folder)
    os.rename(os.path.join(folder, b"slice_0000.dcm"), os.path.join(folder, b"\xff\xfe.dcm"))
    text = os.fsdecode(folder)
    for given in (text, folder):
        assert dicube.load_from_dicom_folder(given).shape == (6, 40, 48)
    archive = text + "\udcff.dcbs"
    dicube.pack(text, archive).raise_errors()
    assert os.fsencode(archive) in [entry.path for entry in os.scandir(os.fsencode(tmp_path))]
    image = dicube.load(archive)
    assert "\udcff\udcfe.dcm" in image.dicom_meta.filenames and dicube.open(pathlib.Path(archive)).read_file("\udcff\udcfe.dcm")
    dicube.save(image, text + "2.dcbs")
    image.dicom_meta.set_shared_item("PatientName", "A")
    dicube.save(image, text + "3.dcbs")
    assert "\udcff\udcfe.dcm" in dicube.load_meta(text + "3.dcbs").filenames
    dicube.save_to_dicom_folder(image, text + "-out")
    dicube.convert(archive, text + "4.dcbs")
    assert not dicube.verify(archive).errors
    assert not dicube.unpack(archive, text + "-files").errors and sha256s(text + "-files") == sha256s(series)
    with dicube.DcbStreamingReader(archive) as reader:
        assert reader.get_dicom_for_frame(0)
    with pytest.raises(FileNotFoundError):
        dicube.load(text + "none.dcbs")
    with pytest.raises(FileExistsError):
        dicube.convert(archive, text + "4.dcbs")


def test_long_and_odd_names(archive_path, tmp_path):
    image = dicube.load(archive_path)
    for name in ("a b", "ünï", "line\nbreak", "-x", "x" * 240, "'quoted\""):
        dicube.save(image, tmp_path / name)
        assert dicube.load(tmp_path / (name + ".dcbs")).shape == image.shape
    with pytest.raises(OSError) as caught:
        dicube.save(image, tmp_path / ("x" * 300))
    assert isinstance(caught.value, dicube.DicomCubeError)
    (tmp_path / "file").write_text("")
    for call in (dicube.save, dicube.save_to_dicom_folder):
        with pytest.raises(OSError) as caught:
            call(image, tmp_path / "file" / "x")
        assert isinstance(caught.value, dicube.DicomCubeError)


# ----------------------------------------------------------------- folders


def test_a_file_replaced_while_it_is_open_stays_the_old_one(archive_path, tmp_path):
    path = shutil.copy(archive_path, tmp_path / "x.dcbs")
    a = dicube.open(path)
    other = phantom(3, seed=9)
    other.init_meta("MR")
    dicube.save(other, path)
    np.testing.assert_array_equal(np.asarray(a), phantom().raw_image)
    assert a.meta["PatientName"] == "Doe^Jane" and dicube.load(path).shape == (3, 40, 48)


def _all_of(a, reader, image, data):
    return [int(a[5][3, 4]), a.meta["PatientName"], len(a), reader.get_dicom_for_frame(5), image.dicom_meta["PatientName"], int(data[5][0][3, 4])]


def _in_a_fork(queue, things):
    queue.put(_all_of(*things))


def _opened(path):
    data = ArchiveDataset([path])
    data[0]
    return dicube.open(path), dicube.DcbStreamingReader(path), dicube.load(path), data


@pytest.mark.parametrize("by", ["another", "nothing"])
def test_a_fork_reads_what_was_open_whatever_took_its_place(archive_path, tmp_path, by):
    path = pathlib.Path(shutil.copy(archive_path, tmp_path / "x.dcbs"))
    things = _opened(path)
    expected = _all_of(*_opened(archive_path))
    path.unlink()
    if by == "another":
        dicube.save(phantom(1, seed=9), path)
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=_in_a_fork, args=(queue, things))
    child.start()
    assert queue.get(timeout=60) == expected
    child.join()


def test_a_copy_in_another_process_does_not_read_what_took_its_place(archive_path, tmp_path):
    path = pathlib.Path(shutil.copy(archive_path, tmp_path / "x.dcbs"))
    a, reader, image, data = [pickle.dumps(thing) for thing in _opened(path)]
    assert _all_of(*map(pickle.loads, (a, reader, image, data)))[1] == "Doe^Jane"
    dicube.save(phantom(6, seed=9), path)
    for call in (lambda: pickle.loads(a)[5], lambda: pickle.loads(reader).get_dicom_for_frame(5), lambda: pickle.loads(image).dicom_meta["PatientName"],
                 lambda: pickle.loads(data)[5]):  # fmt: skip
        with pytest.raises(dicube.exceptions.SourceChangedError, match="another archive"):
            call()


def test_a_copy_finds_its_archive_from_another_folder(archive_path, tmp_path, monkeypatch):
    shutil.copy(archive_path, tmp_path / "x.dcbs")
    monkeypatch.chdir(tmp_path)
    copies = [pickle.dumps(thing) for thing in _opened("x.dcbs")]
    monkeypatch.chdir("/")
    assert _all_of(*map(pickle.loads, copies)) == _all_of(*_opened(archive_path))
    assert pickle.loads(copies[0]).name == "x.dcbs"


def test_a_copy_finds_its_archive_behind_a_link_and_back(archive_path, tmp_path, monkeypatch):
    (tmp_path / "q" / "a").mkdir(parents=True)
    (tmp_path / "lnk").symlink_to(tmp_path / "q" / "a")
    shutil.copy(archive_path, tmp_path / "q" / "x.dcbs")
    monkeypatch.chdir(tmp_path)
    copies = [pickle.dumps(thing) for thing in _opened("lnk/../x.dcbs")]
    assert _all_of(*map(pickle.loads, copies)) == _all_of(*_opened(archive_path))


def test_a_file_overwritten_in_place_is_noticed(archive_path, tmp_path):
    path = tmp_path / "x.dcbs"
    path.write_bytes(archive_path.read_bytes())
    a = dicube.open(path)
    with open(path, "r+b") as file:
        file.write(b"\0" * os.path.getsize(path))
    for call in (lambda: np.asarray(a), lambda: a.read_file(0)):
        with pytest.raises(dicube.DicomCubeError):
            call()
    with open(path, "r+b") as file:
        file.truncate(100)
    with pytest.raises(dicube.InvalidCubeFileError, match=f"has 100 bytes now, {archive_path.stat().st_size} when it was opened"):
        a[0]


def test_an_empty_folder_says_so(tmp_path):
    (tmp_path / "in").mkdir()
    for call in (dicube.load_from_dicom_folder, dicube.read_dicom_dir, lambda f: dicube.pack(f, tmp_path / "out")):
        with pytest.raises(dicube.exceptions.NotDicomError):
            call(tmp_path / "in")
    assert os.listdir(tmp_path) == ["in"]


def test_a_folder_of_mixed_things_gives_its_series(series, tmp_path):
    folder = tmp_path / "in"
    shutil.copytree(series, folder / "deep" / "er")
    first = (series / "slice_0000.dcm").read_bytes()
    for name, content in [("a.txt", b"text"), ("empty", b""), ("zeros", bytes(5000)), ("pic.png", b"\x89PNG\r\n" + bytes(100)), (".hidden", b"x"),
                          ("head.dcm", first[:140]), ("prefix.dcm", bytes(128) + b"DICM"), ("random", np.random.default_rng(3).bytes(4000))]:  # fmt: skip
        (folder / name).write_bytes(content)
    os.symlink("nowhere", folder / "dangling")
    os.symlink("..", folder / "deep" / "loop")
    os.mkfifo(folder / "pipe")
    (folder / "nothing").mkdir()
    with pytest.warns(UserWarning, match="without Series Instance UID: .*(head|prefix).dcm"):
        image = dicube.load_from_dicom_folder(folder)
    np.testing.assert_array_equal(image.raw_image, phantom().raw_image)
    with pytest.warns(UserWarning, match="without Series Instance UID"):
        meta, datasets = dicube.read_dicom_dir(folder)
    assert meta.slice_count == len(datasets) == 6 and isinstance(datasets[0], pydicom.Dataset)
    report = dicube.pack(folder, tmp_path / "out")
    assert len(report.series) == 1 and report.series[0].frames == 6
    assert dicube.load(report.series[0].archive).shape == (6, 40, 48)


def test_what_the_system_does_not_let_read_is_an_error_and_no_gap(series, tmp_path):
    folder = tmp_path / "in"
    shutil.copytree(series, folder)
    os.symlink("x" * 300, folder / "slice_0006.dcm")  # refused to the superuser, too
    with pytest.raises(dicube.exceptions.CubeIOError, match="slice_0006.dcm"):
        dicube.load_from_dicom_folder(folder)
    with pytest.raises(OSError, match="slice_0006.dcm"):
        dicube.read_dicom_dir(folder)


def test_a_nifti_file_that_the_system_does_not_let_read_says_so(archive_path, tmp_path, monkeypatch):
    nibabel, path = pytest.importorskip("nibabel"), tmp_path / "x.nii"
    dicube.save_to_nifti(dicube.load(archive_path), path)

    def refused(number):
        def open_or_load(*_, **__):
            raise OSError(number, os.strerror(number))

        return open_or_load

    monkeypatch.setattr(nibabel, "load", refused(errno.ENOMEM))
    with pytest.raises(dicube.exceptions.CubeIOError, match="x.nii: Cannot allocate memory") as caught:
        dicube.load_from_nifti(path)
    assert caught.value.errno == errno.ENOMEM
    monkeypatch.setattr("builtins.open", refused(errno.EACCES))
    with pytest.raises(PermissionError, match="x.nii: Permission denied") as caught:
        dicube.load_from_nifti(path)
    assert isinstance(caught.value, dicube.DicomCubeError)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser reads everything")
@pytest.mark.parametrize("shut", ["slice_0003.dcm", "deep"])
def test_without_permission_a_folder_is_no_shorter_series(series, tmp_path, shut):
    folder = tmp_path / "in"
    shutil.copytree(series, folder)
    (folder / "deep").mkdir()
    (folder / shut).chmod(0)
    try:
        with pytest.raises(PermissionError, match=shut):
            dicube.load_from_dicom_folder(folder)
    finally:
        (folder / shut).chmod(0o700)


def test_links_that_are_left_out_are_named(series, tmp_path):
    folder = tmp_path / "in"
    shutil.copytree(series, folder)
    os.symlink("nowhere", folder / "dangling")
    os.symlink("itself", folder / "itself")
    with pytest.warns(UserWarning, match="dangling: a link to nothing.*itself: a link to nothing"):
        assert dicube.load_from_dicom_folder(folder).shape == (6, 40, 48)


def test_a_damaged_dicom_file_among_good_ones_is_named(series, tmp_path):
    shutil.copytree(series, tmp_path / "in")
    path = tmp_path / "in" / "slice_0003.dcm"
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(dicube.DataConsistencyError, match="slice_0003.dcm"):
        dicube.load_from_dicom_folder(tmp_path / "in")
    report = dicube.pack(tmp_path / "in", tmp_path / "out")
    assert any("slice_0003" in name for s in report.series for f in s.findings for name in f.files) or any("slice_0003" in str(e) for e in report.errors)


def _damaged_dicom(data, rng):
    """One small damage in the first 1,500 bytes, where the header is."""
    head, place = bytearray(data[:1500]), int(rng.integers(0, 1500))
    kind = rng.integers(0, 3)
    if kind == 0:
        head[place : place + 8] = rng.bytes(8)
    elif kind == 1:
        del head[place : place + int(rng.integers(1, 100))]
    else:
        head[place:place] = rng.bytes(int(rng.integers(1, 50)))
    return bytes(head) + data[1500:]


@pytest.mark.filterwarnings("ignore")
def test_damaged_dicom_headers_never_crash_it(series, tmp_path):
    folder = tmp_path / "in"
    shutil.copytree(series, folder)
    rng, path = np.random.default_rng(11), folder / "slice_0002.dcm"
    whole, refused = path.read_bytes(), 0
    for _ in range(60):
        path.write_bytes(_damaged_dicom(whole, rng))
        try:
            dicube.pack(folder, tmp_path / "out", on_conflict="overwrite")
            dicube.read_dicom_dir(folder)
        except dicube.DicomCubeError:
            pass
        except Exception as error:
            assert "pydicom" in "".join(traceback.format_tb(error.__traceback__)), error
        try:
            image = dicube.load_from_dicom_folder(folder)
            image.space, image.dicom_status, image.pixel_header, image.get_fdata(), dicube.check(image), image.dicom_meta.to_json()
            image.dicom_meta.set_shared_item("PatientName", "Q")
            image.dicom_meta.set_shared_item("SpecificCharacterSet", "ISO_IR 192")
            image.raw_image[0, 0, 0] += 1
            dicube.save(image, tmp_path / "edited")
            _everything(tmp_path / "edited.dcbs", tmp_path)
        except dicube.DicomCubeError as error:
            refused += 1
            assert str(error)
    assert 0 < refused < 60


def test_texts_that_are_no_utf8_are_read_all_the_same(own_series, tmp_path):
    for path in own_series.iterdir():
        data = path.read_bytes()
        uid = pydicom.dcmread(path).SeriesInstanceUID.encode()
        path.write_bytes(data.replace(uid, b"2.25.\xa3\xff" + uid[7:]).replace(b"CT", b"\xe9T"))
    image = dicube.load_from_dicom_folder(own_series)
    assert image.shape == (6, 40, 48) and image.dicom_meta["Modality"] == "\ufffdT"
    (report,) = dicube.pack(own_series, tmp_path / "out").series
    assert "\ufffd" in report.series_instance_uid and "\ufffd" in dicube.open(report.archive).info["series_instance_uid"]
    assert dicube.check(dicube.open(report.archive)) == dicube.open(report.archive).findings
