"""Checks of arguments, with errors that name what was expected. Each returns what it was given."""

from __future__ import annotations

import os
from typing import Any, Callable, Dict, Optional, Tuple, Type, Union

import numpy as np

from . import _arguments
from .exceptions import (
    ArgumentTypeError,
    CubeFileNotFoundError,
    CubeIsADirectoryError,
    CubeNotADirectoryError,
    DataConsistencyError,
    DataTypeError,
    DicomCubeError,
    FileArgumentTypeError,
    InvalidCubeFileError,
    MetaDataError,
    MetaDataTypeError,
)

__all__ = [
    "validate_not_none", "validate_file_exists", "validate_folder_exists", "validate_array_shape", "validate_parameter_type",
    "validate_shape_consistency", "validate_string_not_empty", "validate_numeric_range",
]  # fmt: skip

_Error = Type[DicomCubeError]


_TYPE_ERRORS: Dict[_Error, _Error] = {
    DicomCubeError: ArgumentTypeError,
    DataConsistencyError: DataTypeError,
    MetaDataError: MetaDataTypeError,
    InvalidCubeFileError: FileArgumentTypeError,
}


def _type_error(exception_class: _Error) -> _Error:
    """The class for an argument of another type: TypeError too, where a caller of ``exception_class`` catches it."""
    return _TYPE_ERRORS.get(exception_class, exception_class)


def validate_not_none(value: Any, name: str, context: str = "", exception_class: _Error = DicomCubeError) -> Any:
    """Raises ``exception_class`` for ``None``."""
    if value is None:
        raise _type_error(exception_class)(f"Required parameter '{name}' cannot be None", context=context)
    return value


def _path_text(path: Any, name: str, context: str, exception_class: _Error) -> str:
    validate_not_none(path, name, context, exception_class)
    if not isinstance(path, (str, bytes, os.PathLike)):
        raise _type_error(exception_class)(f"Parameter '{name}' must be a path, not {type(path).__name__}", context=context)
    text = os.fsdecode(path)
    if not _arguments.is_path(text):
        wrong = f"Parameter '{name}' " + (f"is no path: {text!r}" if text else "cannot be empty")
        raise _fitting(CubeFileNotFoundError, exception_class)(wrong, context=context, suggestion="Give a path")
    return text


def _fitting(wanted: _Error, exception_class: _Error) -> _Error:
    """The class for a path that is wrong: the builtin's, too, where a caller of ``exception_class`` catches it."""
    return wanted if issubclass(wanted, exception_class) else exception_class


def _validate_exists(given: Any, name: str, is_kind: Callable[[str], bool], kind: str, suggestion: str, context: str, exception_class: _Error) -> Any:
    path = _path_text(given, name, context, exception_class)
    if not os.path.exists(path):
        what = name.split("_")[0].capitalize()
        raise _fitting(CubeFileNotFoundError, exception_class)(f"{what} not found: {path}", context=context, suggestion="Check the path")
    if not is_kind(path):
        wrong = exception_class  # a device, a pipe
        if is_kind is os.path.isdir:
            wrong = CubeNotADirectoryError
        elif os.path.isdir(path):
            wrong = CubeIsADirectoryError
        raise _fitting(wrong, exception_class)(f"Path is not a {kind}: {path}", context=context, suggestion=suggestion)
    return given


def validate_file_exists(file_path: Any, context: str = "", exception_class: _Error = InvalidCubeFileError) -> Any:
    """Raises ``exception_class`` unless there is a file of this name."""
    return _validate_exists(file_path, "file_path", os.path.isfile, "file", "Give a file, not a folder", context, exception_class)


def validate_folder_exists(folder_path: Any, context: str = "", exception_class: _Error = InvalidCubeFileError) -> Any:
    """Raises ``exception_class`` unless there is a folder of this name."""
    return _validate_exists(folder_path, "folder_path", os.path.isdir, "directory", "Give a folder, not a file", context, exception_class)


def validate_array_shape(
    array: Any,
    expected_dims: Optional[int] = None,
    min_dims: Optional[int] = None,
    max_dims: Optional[int] = None,
    name: str = "array",
    context: str = "",
    exception_class: _Error = DataConsistencyError,
) -> Any:
    """Raises ``exception_class`` unless it is an array with that many dimensions."""
    validate_not_none(array, name, context, exception_class)
    if not isinstance(array, np.ndarray):
        raise _type_error(exception_class)(f"Parameter '{name}' must be a numpy array, not {type(array).__name__}", context=context)
    found = {"actual_dims": array.ndim, "shape": array.shape}
    if expected_dims is not None and array.ndim != expected_dims:
        raise exception_class(f"Array '{name}' has incorrect dimensions", context=context, details={"expected_dims": expected_dims, **found})
    if min_dims is not None and array.ndim < min_dims:
        raise exception_class(f"Array '{name}' has too few dimensions", context=context, details={"min_dims": min_dims, **found})
    if max_dims is not None and array.ndim > max_dims:
        raise exception_class(f"Array '{name}' has too many dimensions", context=context, details={"max_dims": max_dims, **found})
    return array


def validate_parameter_type(
    value: Any,
    expected_type: Union[type, Tuple[type, ...]],
    name: str,
    context: str = "",
    exception_class: _Error = DataConsistencyError,
) -> Any:
    """Raises ``exception_class`` unless it is of the type, or of one of the types."""
    validate_not_none(value, name, context, exception_class)
    if not isinstance(value, expected_type):
        types = expected_type if isinstance(expected_type, tuple) else (expected_type,)
        names = " or ".join(kind.__name__ for kind in types)
        raise _type_error(exception_class)(
            f"Parameter '{name}' has incorrect type: expected {names}",
            context=context,
            details={"expected_type": names, "actual_type": type(value).__name__},
        )
    return value


def validate_shape_consistency(
    array1: np.ndarray,
    array2: np.ndarray,
    name1: str = "array1",
    name2: str = "array2",
    context: str = "",
    exception_class: _Error = DataConsistencyError,
) -> Tuple[np.ndarray, np.ndarray]:
    """Raises ``exception_class`` unless two arrays have the same shape."""
    validate_array_shape(array1, name=name1, context=context, exception_class=exception_class)
    validate_array_shape(array2, name=name2, context=context, exception_class=exception_class)
    if array1.shape != array2.shape:
        raise exception_class(
            f"Arrays '{name1}' and '{name2}' have inconsistent shapes",
            context=context,
            details={f"{name1}_shape": array1.shape, f"{name2}_shape": array2.shape},
        )
    return array1, array2


def validate_string_not_empty(value: Any, name: str, context: str = "", exception_class: _Error = DicomCubeError) -> str:
    """Raises ``exception_class`` unless it is a text with a character that is no space."""
    validate_parameter_type(value, str, name, context, exception_class)
    if not value.strip():
        raise exception_class(f"Parameter '{name}' cannot be empty", context=context)
    return value


def validate_numeric_range(
    value: Any,
    name: str,
    min_value: Optional[float] = None,
    max_value: Optional[float] = None,
    context: str = "",
    exception_class: _Error = DataConsistencyError,
) -> Any:
    """Raises ``exception_class`` unless it is a number in the range."""
    validate_parameter_type(value.item() if isinstance(value, np.generic) else value, (int, float), name, context, exception_class)
    if min_value is not None and not value >= min_value:  # nor is what is no number
        raise exception_class(f"Parameter '{name}' is below minimum value", context=context, details={"value": value, "min_value": min_value})
    if max_value is not None and not value <= max_value:
        raise exception_class(f"Parameter '{name}' exceeds maximum value", context=context, details={"value": value, "max_value": max_value})
    return value
