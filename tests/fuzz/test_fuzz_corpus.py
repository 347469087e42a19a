"""Every input that fuzzing has found worth keeping is run once more, with the sanitizers watching."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tools import fuzz


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The snapshots that the fuzzers' hosts hand out."""
    folder = tmp_path_factory.mktemp("images")
    fuzz.make_images(folder)
    return folder


@pytest.mark.parametrize("target", fuzz.TARGETS)
def test_the_corpus_finds_nothing(images: Path, tmp_path: Path, target: str) -> None:
    """No kept input makes the library touch what is not its own, hang, or answer what is no code of NVML."""
    if shutil.which("clang") is None:
        pytest.skip("no clang with libFuzzer: apt-get install clang")
    binary = tmp_path / "fuzzer"
    fuzz.compile_target(target, binary)
    inputs = fuzz.unpack(target, tmp_path / "corpus")
    command = [str(binary), "-runs=0", f"-artifact_prefix={tmp_path}/", str(inputs)]
    with fuzz.own_temporary_folder():
        fuzz.run(command, **(fuzz.settings() | {"VGM_FUZZ_IMAGES": str(images)}))
