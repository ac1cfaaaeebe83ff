"""The stubs say what the extension module has; the package is soundly typed."""

import pathlib
import subprocess
import sys

import pytest

import dicube


def test_the_stub_of_the_core_is_current(tmp_path):
    pytest.importorskip("nanobind")
    made = tmp_path / "_core.pyi"
    subprocess.run([sys.executable, "-m", "nanobind.stubgen", "-q", "-m", "dicube._core", "-o", made], check=True)
    checked_in = pathlib.Path(dicube.__file__).with_name("_core.pyi").read_text()
    assert made.read_text() == checked_in, "run: python -m nanobind.stubgen -m dicube._core -o python/dicube/_core.pyi"
    assert pathlib.Path(dicube.__file__).with_name("py.typed").exists()


def test_the_package_is_soundly_typed():
    pytest.importorskip("mypy")
    done = subprocess.run([sys.executable, "-m", "mypy", "--ignore-missing-imports", "--no-incremental", "-p", "dicube"],
                          capture_output=True, text=True)  # fmt: skip
    assert done.returncode == 0, done.stdout


def test_every_public_name_has_a_docstring():
    for name in dicube.__all__:
        assert getattr(dicube, name).__doc__, name
