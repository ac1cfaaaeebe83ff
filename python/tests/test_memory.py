"""The memory of large arrays, which is used again."""

import multiprocessing
import sys

import numpy as np
import pytest

import dicube

SHAPE = (9, 512, 512)


def volume(seed):
    return np.random.default_rng(seed).integers(0, 4000, SHAPE, dtype=np.uint16)


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    folder = tmp_path_factory.mktemp("large")
    paths = []
    for seed in range(2):
        image = dicube.DicomCubeImage(volume(seed), dicube.PixelDataHeader(RescaleSlope=1, RescaleIntercept=0, OriginalPixelDtype="uint16"))
        image.init_meta(modality="CT")
        paths.append(str(folder / f"{seed}.dcbs"))
        dicube.save(image, paths[-1])
    return paths


def address(array):
    return array.__array_interface__["data"][0]


def test_arrays_that_live_side_by_side_have_memory_of_their_own(paths):
    first, second = (dicube.load(path).raw_image for path in paths)
    first[:] += 1
    assert np.array_equal(second, volume(1))
    assert np.array_equal(first, volume(0) + 1)


def test_a_view_keeps_the_memory_of_its_array(paths):
    view = dicube.load(paths[0]).raw_image[3]
    others = [dicube.load(paths[1]).raw_image for _ in range(3)]
    assert np.array_equal(view, volume(0)[3])
    assert all(np.array_equal(other, volume(1)) for other in others)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the system may not take memory back while it is kept")
def test_the_array_that_was_freed_last_makes_room_for_the_next_one(paths):
    first = dicube.load(paths[0]).raw_image
    place = address(first)
    del first
    second = dicube.load(paths[1]).raw_image
    assert address(second) == place
    assert np.array_equal(second, volume(1))


def load_in_child(paths, queue):
    for path in paths:
        queue.put(int(dicube.load(path).raw_image.sum(dtype=np.int64)))


def test_a_child_of_fork_leaves_the_memory_of_its_parent_alone(paths):
    alive = dicube.load(paths[0]).raw_image
    dicube.load(paths[1]).raw_image.sum()  # an array that is gone
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=load_in_child, args=(paths, queue))
    child.start()
    sums = [queue.get(timeout=60) for _ in paths]
    child.join()
    assert sums == [int(volume(seed).sum(dtype=np.int64)) for seed in range(2)]
    assert np.array_equal(alive, volume(0))


def test_too_much_memory_is_a_memory_error():
    with pytest.raises(MemoryError):
        dicube._core.allocate(2**62)
    with pytest.raises(MemoryError):
        dicube._core.allocate(2**64 - 1)
