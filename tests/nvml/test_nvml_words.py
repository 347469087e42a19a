"""The numbers of states, limits and return codes, and the texts that go with them."""

from __future__ import annotations

import pytest

from vgpu_migrate.nvml import (
    ALL_STATES,
    InsufficientSizeError,
    InUseError,
    InvalidArgumentError,
    Limits,
    NotFoundError,
    NotSupportedError,
    NvmlError,
    Return,
    States,
    UninitializedError,
    UnknownError,
    error_string,
)


def test_states_have_the_pages_numbers() -> None:
    """NONE 0, COLD 1, HIBERNATE 2, SLEEP 4, LIVE 8."""
    assert [(state.name, state.value) for state in States] == [
        ("COLD", 1),
        ("HIBERNATE", 2),
        ("SLEEP", 4),
        ("LIVE", 8),
    ]
    assert int(States.NONE) == 0
    assert ALL_STATES == 15


def test_limits_have_the_pages_numbers() -> None:
    """NONE 0, HOST_DRIVER 1, GUEST_DRIVER 2, GPU 4, OTHER 0x80000000."""
    assert [(limit.name, limit.value) for limit in Limits] == [
        ("HOST_DRIVER", 1),
        ("GUEST_DRIVER", 2),
        ("GPU", 4),
        ("OTHER", 0x80000000),
    ]
    assert int(Limits.NONE) == 0


def test_sets_are_spelled_in_order() -> None:
    """States from cold to live, limits from host driver to other, each in one word."""
    assert ALL_STATES.words == ("cold", "hibernate", "sleep", "live")
    assert (States.LIVE | States.COLD).words == ("cold", "live")
    assert States.NONE.words == ()
    assert (Limits.OTHER | Limits.HOST_DRIVER | Limits.GPU | Limits.GUEST_DRIVER).words == (
        "host_driver",
        "guest_driver",
        "gpu",
        "other",
    )
    assert Limits.NONE.words == ()


@pytest.mark.parametrize(
    ("code", "name", "text"),
    [
        (0, "SUCCESS", "Success"),
        (1, "UNINITIALIZED", "Uninitialized"),
        (2, "INVALID_ARGUMENT", "Invalid Argument"),
        (3, "NOT_SUPPORTED", "Not Supported"),
        (6, "NOT_FOUND", "Not Found"),
        (7, "INSUFFICIENT_SIZE", "Insufficient Size"),
        (9, "DRIVER_NOT_LOADED", "Driver Not Loaded"),
        (13, "FUNCTION_NOT_FOUND", "Function Not Found"),
        (19, "IN_USE", "In use by another client"),
        (999, "UNKNOWN", "Unknown Error"),
    ],
)
def test_codes_and_their_texts(code: int, name: str, text: str) -> None:
    """The codes that matter here, by number, name and text."""
    assert (Return(code).name, error_string(code), Return(code).text) == (name, text, text)


def test_every_code_has_a_text() -> None:
    """And a number that is no code has that of UNKNOWN."""
    assert all(error_string(code) for code in Return)
    for code in (-1, 30, 998, 1000):
        assert error_string(code) == "Unknown Error"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UninitializedError(), 1),
        (InvalidArgumentError(), 2),
        (NotSupportedError(), 3),
        (NotFoundError(), 6),
        (InsufficientSizeError(212), 7),
        (InUseError(), 19),
        (UnknownError(), 999),
    ],
)
def test_errors_carry_their_code(error: NvmlError, code: int) -> None:
    """One exception for each code of the five functions; its message begins with NVML's text."""
    assert error.code == code
    assert str(error).startswith(error_string(code))


def test_an_error_tells_the_detail() -> None:
    """In brackets behind NVML's text; the needed size is a value too."""
    assert str(NotFoundError("vgpu instance 7")) == "Not Found (vgpu instance 7)"
    error = InsufficientSizeError(212)
    assert (str(error), error.needed) == ("Insufficient Size (212 bytes are needed)", 212)
