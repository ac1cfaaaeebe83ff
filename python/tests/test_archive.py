"""dicube.open: lazy reading, in threads, processes and forks."""

import bz2
import concurrent.futures
import gzip
import io
import multiprocessing
import os
import pickle
import signal
import threading
import zipfile

import numpy as np
import pydicom
import pytest

import dicube
from conftest import corpus, phantom


def test_frames_come_by_number_by_slice_and_all_at_once(archive_path):
    pixels = phantom().raw_image
    with dicube.open(archive_path) as a:
        assert (len(a), a.shape, a.dtype, a.ndim) == (6, (6, 40, 48), np.int16, 3)
        np.testing.assert_array_equal(a[2], pixels[2])
        np.testing.assert_array_equal(a[-1], pixels[-1])
        np.testing.assert_array_equal(a[1:4], pixels[1:4])
        np.testing.assert_array_equal(a[::-2], pixels[::-2])
        np.testing.assert_array_equal(a[[4, 0]], pixels[[4, 0]])
        np.testing.assert_array_equal(a[1:4, 5, 6:8], pixels[1:4, 5, 6:8])
        np.testing.assert_array_equal(a[3, 2], pixels[3, 2])
        np.testing.assert_array_equal(a[..., 7], pixels[..., 7])
        np.testing.assert_array_equal(a[...], pixels)
        np.testing.assert_array_equal(np.asarray(a), pixels)
        assert np.asarray(a, dtype=np.float32).dtype == np.float32
        assert a[3:3].shape == (0, 40, 48)
        assert sum(1 for _ in a) == 6


def _random_index(rng, count):
    """One of a tuple of indices, some of which name nothing."""
    kind = rng.integers(11)
    if kind == 0:
        return slice(*(None if rng.random() < 0.4 else int(n) for n in rng.integers(-8, 9, 2)), [None, 1, 2, -1, -3][rng.integers(5)])
    if kind == 1:
        return rng.integers(-count, count, rng.integers(0, 4)).tolist()
    if kind == 2:
        return rng.integers(-count, count, [(2,), (3,), (2, 2), (1, 3), (0,)][rng.integers(5)])
    if kind == 3:
        return rng.random(count) < 0.5
    if kind == 4:
        return rng.random((7, 6)) < 0.2
    return [None, Ellipsis, range(0, count, 2), (0, 2), np.array(-1), np.uint8(2), int(rng.integers(-count - 1, count + 1))][kind - 5 if kind < 10 else 6]


def test_every_index_gives_what_numpy_does(tmp_path):
    raw = phantom(7, 6, 5).raw_image
    dicube.save(dicube.DicomCubeImage(raw, dicube.PixelDataHeader()), tmp_path / "x")
    a, rng, errors = dicube.open(tmp_path / "x.dcbs"), np.random.default_rng(1), 0
    keys = [([0, 1], [2, 3]), ([0, 2], [1, 2], 3), ([0, 1], slice(None), [2, 3]), (np.array([1, 2]), 0), (np.array([3, 4]), slice(0, 1)), ()]
    keys += [tuple(_random_index(rng, (7, 6, 5)[min(i, 2)]) for i in range(rng.integers(1, 5))) for _ in range(600)]
    keys += [_random_index(rng, 7) for _ in range(200)]
    for key in keys:
        try:
            expected = raw[key]
        except IndexError:
            errors += 1
            with pytest.raises(dicube.exceptions.UsageError):
                a[key]
        else:
            np.testing.assert_array_equal(a[key], expected, strict=True, err_msg=repr(key))
    assert 0 < errors < len(keys) / 2


def test_an_index_reads_the_frames_that_it_names_and_no_others(tmp_path):
    noise = np.random.default_rng(1).integers(0, 4096, (8, 100, 100), np.int16)
    dicube.save(dicube.DicomCubeImage(noise, dicube.PixelDataHeader()), tmp_path / "x")
    data = (tmp_path / "x.dcbs").read_bytes()
    for key in (([1, 1], [2, 3]), (None, 2, slice(3)), np.arange(8) == 5, np.array([[6, 6]])):
        store = Store(data)
        a = dicube.open(store)
        before = store.fetched
        np.testing.assert_array_equal(a[key], noise[key])
        assert store.fetched - before < len(data) / 6


def test_a_frame_comes_at_reduced_size(archive_path):
    a = dicube.open(archive_path)
    assert a.frame(0, level=1).shape == (20, 24)
    assert a.frame(0, level=2).shape == (10, 12)
    assert abs(float(a.frame(0, level=2).mean()) - float(a[0].mean())) < 10
    with pytest.raises(ValueError, match="level"):
        a.frame(0, level=-1)


@pytest.mark.parametrize("index, error", [(6, IndexError), (-7, IndexError), ("x", TypeError), (1.5, TypeError), (True, TypeError),
                                          (slice(None, None, 0), dicube.exceptions.UsageError), ((0, slice(None, None, 0)), dicube.exceptions.UsageError),
                                          (np.array(True), TypeError), ([1.0], TypeError), ([[0], [1, 2]], dicube.exceptions.UsageError),
                                          ([True], IndexError), ((None, 7), IndexError), ((0, 600), dicube.exceptions.NoSuchIndexError), (slice("x", None), dicube.exceptions.ArgumentTypeError)])  # fmt: skip
def test_a_wrong_index_is_an_error(archive_path, index, error):
    with pytest.raises(error):
        dicube.open(archive_path)[index]


def test_it_opens_paths_bytes_and_files(archive_path):
    data = archive_path.read_bytes()
    expected = dicube.open(str(archive_path))[0]
    for source in (archive_path, data, bytearray(data), memoryview(data), io.BytesIO(data)):
        np.testing.assert_array_equal(dicube.open(source)[0], expected)
    with open(archive_path, "rb") as file:
        np.testing.assert_array_equal(dicube.load(file).raw_image[0], expected)


class Store(io.BytesIO):
    """An object in a store: it notes what is read, some of it in pieces."""

    def __init__(self, data, most=10_000):
        super().__init__(data)
        self.fetched, self._most = 0, most

    def read(self, size=-1):
        data = super().read(min(size, self._most) if size >= 0 else -1)
        self.fetched += len(data)
        return data


def test_of_a_file_that_can_seek_no_more_is_read_than_is_asked_for(tmp_path):
    noise = np.random.default_rng(1).integers(0, 4096, (6, 200, 200), np.int16)
    image = dicube.DicomCubeImage(noise, dicube.PixelDataHeader())
    image.init_meta("CT", "Doe^Jane", "P1")
    dicube.save(image, tmp_path / "noise.dcbs")
    data, expected = (tmp_path / "noise.dcbs").read_bytes(), dicube.load(tmp_path / "noise.dcbs").raw_image
    store = Store(b"before" + data)
    store.seek(6)
    a = dicube.open(store)
    assert len(a.meta["ImagePositionPatient"]) == len(a) and store.fetched <= 32 * 1024
    before = store.fetched
    np.testing.assert_array_equal(a[2], expected[2])
    assert store.fetched - before < len(data) / 4
    np.testing.assert_array_equal(np.asarray(a), expected)
    again = pickle.loads(pickle.dumps(a))
    np.testing.assert_array_equal(again[1], expected[1])


@pytest.mark.parametrize("store", [False, True])
def test_a_file_can_be_read_in_parts_by_many_threads(archive_path, store):
    expected = dicube.load(archive_path).raw_image
    with Store(archive_path.read_bytes(), 500) if store else open(archive_path, "rb") as file, dicube.open(file) as a:
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            for i, frame in enumerate(pool.map(lambda i: a[i % len(a)], range(60))):
                np.testing.assert_array_equal(frame, expected[i % len(a)])


def test_what_a_file_makes_of_another_is_read_and_not_that_other(archive_path, tmp_path):
    data, expected = archive_path.read_bytes(), dicube.load(archive_path).raw_image

    class Turned(io.RawIOBase):
        """A file that holds every byte the other way round."""

        def __init__(self):
            self._file = open(tmp_path / "turned", "rb")

        readable = seekable = lambda self: True

        def fileno(self):
            return self._file.fileno()

        def seek(self, *where):
            return self._file.seek(*where)

        def readinto(self, out):
            part = self._file.read(len(out))
            out[: len(part)] = bytes(byte ^ 255 for byte in part)
            return len(part)

    (tmp_path / "turned").write_bytes(bytes(byte ^ 255 for byte in data))
    (tmp_path / "x.gz").write_bytes(gzip.compress(data))
    (tmp_path / "x.bz2").write_bytes(bz2.compress(data))
    with zipfile.ZipFile(tmp_path / "x.zip", "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("x", data)
    with zipfile.ZipFile(tmp_path / "x.zip") as zipped:
        for file in (gzip.open(tmp_path / "x.gz"), bz2.open(tmp_path / "x.bz2"), zipped.open("x"), Turned()):
            np.testing.assert_array_equal(dicube.open(io.BufferedReader(file))[3], expected[3])


def _read_often(archive, expected, results):
    results.put(all(np.array_equal(archive[i % len(archive)], expected[i % len(archive)]) for i in range(300)))


def test_a_file_can_be_read_in_parts_by_forked_processes_at_once(archive_path):
    expected = dicube.load(archive_path).raw_image
    fork = multiprocessing.get_context("fork")
    with open(archive_path, "rb") as file, dicube.open(file) as a:
        results = fork.Queue()
        workers = [fork.Process(target=_read_often, args=(a, expected, results)) for _ in range(4)]
        for worker in workers:
            worker.start()
        assert all(results.get(timeout=60) for _ in workers)
        for worker in workers:
            worker.join()


def test_a_file_that_is_closed_cut_or_refused_is_named(archive_path):
    data = archive_path.read_bytes()
    store = Store(data)
    a = dicube.open(store)
    store.close()
    with pytest.raises(OSError, match="ValueError: I/O operation on closed file"):
        a[0]
    class Odd(Store):
        def read(self, size=-1):
            if self.fetched:
                raise OddError()
            return super().read(size)

    class OddError(Exception):
        def __str__(self):
            raise RuntimeError("no words")

    a = dicube.open(Odd(data, len(data)))
    with pytest.raises(OSError, match="OddError"):
        a[0]
    cut = Store(data)
    a = dicube.open(cut)
    cut.truncate(len(data) - 1)
    with pytest.raises(dicube.InvalidCubeFileError, match="bytes read from byte"):
        a[len(a) - 1], a.read_file(len(a) - 1)
    with pytest.raises(dicube.InvalidCubeFileError):
        dicube.open(Store(b""))
    with pytest.raises(TypeError, match="binary mode"):
        dicube.open(io.StringIO("text"))


class Stopped(Store):
    """A file whose reading something stops once ``at`` reads are done."""

    def __init__(self, data, at, stop):
        super().__init__(data)
        self.reads, self._at, self._stop = 0, at, stop

    def read(self, size=-1):
        self.reads += 1
        if self.reads == self._at:
            self._stop()
        return super().read(size)


def _raising(exception):
    def stop():
        raise exception

    return stop


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("call", [np.asarray, lambda a: a[::2], lambda a: a[5], lambda a: a.read_file(3), pickle.dumps])
def test_what_stops_the_program_stops_the_reading_of_a_file(tmp_path, threads, call):
    image = dicube.DicomCubeImage(np.random.default_rng(1).integers(0, 4096, (200, 16, 16), np.int16), dicube.PixelDataHeader())
    dicube.save(image, tmp_path / "x")
    data, before = (tmp_path / "x.dcbs").read_bytes(), dicube.get_num_threads()
    opening = Stopped(data, 0, None)
    dicube.open(opening)
    dicube.set_num_threads(threads)
    try:
        for stop in (KeyboardInterrupt(), SystemExit(3), GeneratorExit()):
            file = Stopped(data, opening.reads + 1, _raising(stop))
            a = dicube.open(file)
            with pytest.raises(type(stop)) as ended:
                call(a)
            assert ended.value is stop and file.reads <= opening.reads + 1 + threads
            np.testing.assert_array_equal(a[:], image.raw_image)
        file = Stopped(data, opening.reads + 1, _raising(RuntimeError("boom")))
        with pytest.raises(OSError, match="RuntimeError: boom") as caught:
            call(dicube.open(file))
        assert isinstance(caught.value.__cause__, RuntimeError) and file.reads <= opening.reads + 1 + threads
    finally:
        dicube.set_num_threads(before)


def test_ctrl_c_stops_the_reading_of_a_file(tmp_path):
    image = dicube.DicomCubeImage(np.random.default_rng(1).integers(0, 4096, (200, 16, 16), np.int16), dicube.PixelDataHeader())
    dicube.save(image, tmp_path / "x")
    file = Stopped((tmp_path / "x.dcbs").read_bytes(), 20, lambda: signal.raise_signal(signal.SIGINT))
    a, before = dicube.open(file), signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            np.asarray(a)
    finally:
        signal.signal(signal.SIGINT, before)
    assert file.reads < 100
    np.testing.assert_array_equal(a[:], image.raw_image)


@pytest.mark.parametrize("out", [np.zeros(3840, np.int8), np.zeros(3840), np.zeros(3840, np.uint16), np.zeros(7680, np.uint8)[::2], np.zeros(3840, np.uint8).reshape(2, -1),
                                 np.frombuffer(bytes(3840), np.uint8)])  # fmt: skip
def test_the_core_fills_the_array_that_it_is_given_and_no_copy(archive_path, out):
    core = dicube.open(archive_path)._source.core
    for call in (lambda: core.read_frames([3], out, 1), lambda: core.read_reduced(3, 0, out), lambda: dicube._core.decode_htj2k(b"", 0, out)):
        with pytest.raises(TypeError):
            call()
    assert not out.any()


def test_the_original_files_come_back(archive_path, series):
    a = dicube.open(archive_path)
    assert [f.name for f in a.files] == [f"slice_{i:04d}.dcm" for i in range(6)]
    assert a.read_file(3) == (series / "slice_0003.dcm").read_bytes()
    assert a.read_file("slice_0005.dcm") == (series / "slice_0005.dcm").read_bytes()
    with pytest.raises(KeyError):
        a.read_file("none")
    with pytest.raises(IndexError):
        a.read_file(6)


def test_a_closed_archive_says_so(archive_path):
    a = dicube.open(archive_path)
    a.close()
    with pytest.raises(ValueError, match="closed"):
        a[0]
    assert "closed" in repr(a)


def test_it_survives_pickling(archive_path):
    for source in (archive_path, archive_path.read_bytes()):
        a = pickle.loads(pickle.dumps(dicube.open(source)))
        assert a.meta["PatientName"] == "Doe^Jane"
        np.testing.assert_array_equal(a[1], phantom().raw_image[1])


def _sum_of(archive, frame):
    return int(archive[frame].sum())


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_worker_processes_read_it(archive_path, method):
    a = dicube.open(archive_path)
    a[0]
    with multiprocessing.get_context(method).Pool(2) as pool:
        sums = pool.starmap(_sum_of, [(a, i) for i in range(6)])
    assert sums == [int(frame.sum()) for frame in phantom().raw_image]


def test_a_forked_child_reads_what_the_parent_opened(archive_path):
    a = dicube.open(archive_path)
    image = dicube.load(archive_path)
    child = os.fork()
    if child == 0:
        good = a[1].sum() == phantom().raw_image[1].sum() and image.dicom_meta["Modality"] == "CT"
        os._exit(0 if good else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_many_threads_read_it_at_once(archive_path):
    a, pixels, wrong = dicube.open(archive_path), phantom().raw_image, []

    def work(seed):
        for i in np.random.default_rng(seed).integers(0, 6, 30):
            if not np.array_equal(a[int(i)], pixels[i]) or a.meta.get_values("InstanceNumber")[i] != i + 1:
                wrong.append(i)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert wrong == []


def test_frames_of_several_sizes_come_one_by_one(tmp_path):
    first, second = phantom(2), phantom(2, rows=32)
    first.init_meta("CT")
    second.init_meta("CT")
    uid = first.dicom_meta["SeriesInstanceUID"]
    second.dicom_meta.set_shared_item("SeriesInstanceUID", uid)
    second.dicom_meta.set_nonshared_item("InstanceNumber", [3, 4])
    dicube.save_to_dicom_folder(first, tmp_path / "in" / "a")
    dicube.save_to_dicom_folder(second, tmp_path / "in" / "b")
    dicube.pack(tmp_path / "in", tmp_path / "mixed.dcbs").raise_errors()
    a = dicube.open(tmp_path / "mixed.dcbs")
    assert [frame.shape for frame in a] == [(40, 48), (40, 48), (32, 48), (32, 48)]
    for read in (lambda: a.shape, lambda: np.asarray(a), lambda: a[1:3], lambda: dicube.load(tmp_path / "mixed.dcbs")):
        with pytest.raises(dicube.DataConsistencyError, match="differ"):
            read()


def test_the_number_of_threads_is_a_setting():
    before = dicube.get_num_threads()
    try:
        dicube.set_num_threads(3)
        assert dicube.get_num_threads() == 3
        with pytest.raises(ValueError):
            dicube.set_num_threads(0)
        with pytest.raises(TypeError):
            dicube.set_num_threads("2")
    finally:
        dicube.set_num_threads(before)


def test_what_has_no_frames_is_no_array_and_says_so(tmp_path):
    file = pydicom.dcmread(corpus("pydicom-testfiles/src/pydicom/data/test_files/reportsi.dcm"))
    file.save_as(tmp_path / "report.dcm")
    dicube.pack(tmp_path / "report.dcm", tmp_path / "report.dcbs").raise_errors()
    archive = dicube.open(tmp_path / "report.dcbs")
    assert len(archive) == 0 and repr(archive).endswith("report.dcbs: 1 files, 0 frames>")
    for call in (lambda: np.asarray(archive), lambda: archive.shape, lambda: dicube.load(tmp_path / "report.dcbs")):
        with pytest.raises(dicube.exceptions.DataConsistencyError, match="no frames"):
            call()
    with pytest.raises(IndexError):
        archive[0]
    archive.close()
    assert repr(archive).endswith("report.dcbs, closed>")


def test_an_array_is_always_a_new_one(archive_path):
    archive = dicube.open(archive_path)
    assert np.array_equal(np.asarray(archive, dtype="f8"), dicube.load(archive_path).raw_image)
    with pytest.raises(dicube.exceptions.UsageError, match="copy=False"):
        archive.__array__(copy=False)
