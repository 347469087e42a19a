"""Vgpu types and their words as the static part has them; a board as a gpu shows it."""

from __future__ import annotations

import re
import struct

import pytest
from tests.manager.factories import a_gpu, a_host
from tests.snapshot.hosts import replace
from tests.snapshot.statics import static_of

from vgpu_migrate import facts
from vgpu_migrate.compat.record import PGPU_MAGIC
from vgpu_migrate.facts import Generation
from vgpu_migrate.model import GpuId, PlacementMode, Profile
from vgpu_migrate.model.placement import supported_placements
from vgpu_migrate.model.saved_record import VGPU_MAGIC, type_word
from vgpu_migrate.nvml import VersionRange
from vgpu_migrate.snapshot import cards
from vgpu_migrate.snapshot.driver import driver_facts
from vgpu_migrate.snapshot.layout import ANY, PAGE
from vgpu_migrate.snapshot.reader import read_static
from vgpu_migrate.snapshot.static import encode_static

EVERY_BOARD = a_host(
    gpus=[replace(a_gpu(number, board=key), index=number) for number, key in enumerate(facts.boards())]
)


def test_every_type_of_the_boards_is_there_once_by_id() -> None:
    """Two gpus of one board bring its types once, and other boards' types are not there."""
    rows = static_of("T4", "A40", "T4")["types"]
    ids = [row["id"] for row in rows]
    assert ids == sorted(set(ids))
    assert set(ids) == {one.type_id for key in ("T4", "A40") for one in facts.types_of_board(key)}


def test_every_type_there_is_fits_and_says_its_facts() -> None:
    """For all 1,236 types: name, sizes, ids, numbers and placements are those of the facts."""
    data = encode_static(EVERY_BOARD, Profile.DEFAULT, base=PAGE)
    rows = {row["id"]: row for row in read_static(bytes(PAGE) + data, PAGE)["types"]}
    assert len(rows) == len(facts.vgpu_types()) == 1236
    for one in facts.vgpu_types().values():
        row, board = rows[one.type_id], facts.board(one.board)
        assert (row["name"], row["board_row"]) == (one.long, board.row)
        assert row["framebuffer_bytes"] == one.framebuffer_mib << 20
        assert row["device_id"] == one.device_id << 16 | 0x10DE
        assert row["subsystem_id"] == one.subsystem_id << 16 | 0x10DE
        assert (row["max_instances"], row["heads"]) == (one.max_instances, one.heads)
        assert (row["max_x"], row["max_y"]) == (one.max_x, one.max_y)
        assert row["frame_rate_limit"] == one.frame_rate_limit
        assert row["placement_size"] == one.framebuffer_gib
        assert row["placements"] == list(supported_placements(board, one))
        assert (row["gpu_instance_profile"] == ANY) == (not one.is_mig_backed)
        assert (row["max_per_gpu_instance"] == 0) == (not one.is_mig_backed)


@pytest.mark.parametrize(
    ("short", "name", "class_name", "license_text"),
    [
        (
            "T4-8Q",
            "GRID T4-8Q",
            "Quadro",
            "Quadro-Virtual-DWS,5.0;GRID-Virtual-WS,2.0;GRID-Virtual-WS-Ext,2.0",
        ),
        (
            "A40-2B",
            "NVIDIA A40-2B",
            "NVS",
            "GRID-Virtual-PC,2.0;Quadro-Virtual-DWS,5.0;GRID-Virtual-WS,2.0;GRID-Virtual-WS-Ext,2.0",
        ),
        ("M60-1A", "GRID M60-1A", "NVS", "GRID-Virtual-Apps,3.0"),
        ("A100-1-5C", "GRID A100-1-5C", "Compute", "NVIDIA-vComputeServer,9.0;Quadro-Virtual-DWS,5.0"),
    ],
)
def test_names_classes_and_licenses_by_series(
    short: str, name: str, class_name: str, license_text: str
) -> None:
    """A type has its long name, and class and license of its series."""
    one = facts.vgpu_type(short)
    row = next(row for row in static_of(one.board)["types"] if row["id"] == one.type_id)
    assert (row["name"], row["class_name"], row["license"]) == (name, class_name, license_text)


def test_placement_ids_of_a_type() -> None:
    """The placements of an A40-8Q are those of the vendor's example; a T4 has no mixed-size mode."""
    rows = {row["id"]: row for row in static_of("A40", "T4")["types"]}
    assert rows[facts.vgpu_type("A40-8Q").type_id]["placements"] == [0, 16, 24, 40]
    assert rows[facts.vgpu_type("T4-8Q").type_id]["placements"] == []


def test_the_words_of_all_types_lead_to_board_and_bit() -> None:
    """Whatever boards a host has, each type's word is there, ascending, with its place in a gpu's mask."""
    words = static_of("T4")["words"]
    assert [row["word"] for row in words] == sorted({type_word(one) for one in facts.vgpu_types().values()})
    for row in words:
        board = facts.board_by_row(row["board_row"])
        one = facts.types_of_board(board.key)[row["bit"]]
        assert (row["word"], row["mig_backed"]) == (type_word(one), one.is_mig_backed)


def test_the_head_says_how_records_begin() -> None:
    """Magics, record version and the number of boards are what the record's encoder uses."""
    head = static_of("T4")
    assert (head["vgpu_magic"], head["pgpu_magic"]) == (VGPU_MAGIC, PGPU_MAGIC)
    assert (head["record_version"], head["boards_count"]) == (1, len(facts.boards()))


def test_every_board_has_a_name_a_brand_and_limits() -> None:
    """For each board the name is NVML's kind of name, and the figures are within what NVML allows."""
    for board in facts.boards().values():
        assert re.fullmatch(r"(Tesla|Quadro|NVIDIA) [ -~]{1,80}", cards.gpu_name(board))
        assert cards.brand(board) in {2, 12, 13, 14}
        assert 3 <= cards.architecture(board) <= 10
        major, minor = cards.compute_capability(board)
        assert (5, 0) <= (major, minor) <= (12, 0)
        assert 60_000 <= cards.power_limit_mw(board) <= 700_000
        assert cards.pci_id(board).device


@pytest.mark.parametrize(
    ("board", "name", "capability", "architecture", "has_fan"),
    [
        ("T4", "Tesla T4", (7, 5), 6, False),
        ("RTX8000", "Quadro RTX8000", (7, 5), 6, True),
        ("RTX8000P", "Quadro RTX8000P", (7, 5), 6, False),
        ("M10", "Tesla M10", (5, 0), 3, False),
        ("M60", "Tesla M60", (5, 2), 3, False),
        ("P40", "Tesla P40", (6, 1), 4, False),
        ("P100", "Tesla P100", (6, 0), 4, False),
        ("P100C", "Tesla P100C", (6, 0), 4, False),
        ("P100X", "Tesla P100X", (6, 0), 4, False),
        ("A30", "NVIDIA A30", (8, 0), 7, False),
        ("A800DX", "NVIDIA A800DX", (8, 0), 7, False),
        ("GB200", "NVIDIA GB200", (10, 0), 10, False),
        ("B300X", "NVIDIA B300X", (10, 3), 10, False),
        ("V100", "Tesla V100-PCIE-16GB", (7, 0), 5, False),
        ("A100D", "NVIDIA A100-PCIE-80GB", (8, 0), 7, False),
        ("A40", "NVIDIA A40", (8, 6), 7, False),
        ("RTXA6000", "NVIDIA RTX-A6000", (8, 6), 7, True),
        ("L40S", "NVIDIA L40S", (8, 9), 8, False),
        ("H100", "NVIDIA H100-PCIE", (9, 0), 9, False),
        ("B200X", "NVIDIA B200", (10, 0), 10, False),
        ("RTX Pro 6000 Blackwell DC", "NVIDIA RTX-PRO-6000-Blackwell-SE", (12, 0), 10, False),
    ],
)
def test_boards_as_nvml_shows_them(
    board: str, name: str, capability: tuple[int, int], architecture: int, has_fan: bool
) -> None:
    """Name, compute capability, architecture and fan of one board of each generation."""
    row = facts.board(board)
    assert cards.gpu_name(row) == name
    assert cards.compute_capability(row) == capability
    assert cards.architecture(row) == architecture
    assert cards.has_fan(row) is has_fan


def test_brands_by_generation_and_kind() -> None:
    """Tesla and Quadro RTX up to Turing, NVIDIA RTX and NVIDIA from Ampere on."""
    seen = {key: cards.brand(facts.board(key)) for key in ("T4", "RTX6000P", "RTXA5000", "L40S", "RTX 6000D")}
    assert seen == {"T4": 2, "RTX6000P": 12, "RTXA5000": 13, "L40S": 14, "RTX 6000D": 14}


def test_the_vendors_architecture_numbers_run_with_our_generations() -> None:
    """Maxwell is 3 and each later generation one more, Ada before Hopper."""
    assert {one: one + 2 for one in Generation} == {
        Generation.MAXWELL: 3,
        Generation.PASCAL: 4,
        Generation.VOLTA: 5,
        Generation.TURING: 6,
        Generation.AMPERE: 7,
        Generation.ADA: 8,
        Generation.HOPPER: 9,
        Generation.BLACKWELL: 10,
    }


def test_a_gpu_keeps_a_uuid_of_nvmls_form_and_is_given_one_else() -> None:
    """`GPU-` and a UUID stays as it is; any other id leads to one UUID that never changes."""
    own = replace(a_gpu(), id=GpuId("GPU-5f0c1e2a-0000-4000-8000-000000000000"))
    assert cards.gpu_uuid(own) == own.id
    assert cards.gpu_uuid(a_gpu()) == "GPU-189d6f02-137f-52fa-a10b-3a38dd3d623b"
    assert cards.gpu_uuid(a_gpu(1)) != cards.gpu_uuid(a_gpu())


def test_gpus_without_an_address_get_the_next_free_bus() -> None:
    """Given addresses stay, the others are the buses from 1 on that none of them has."""
    given = [None, "0000:01:00.0", None, "00000002:03:1f.0", "02:00.0", None]
    gpus = [replace(a_gpu(number), pci=pci) for number, pci in enumerate(given)]
    assert [str(address) for address in cards.pci_addresses(gpus)] == [
        "0000:03:00.0",
        "0000:01:00.0",
        "0000:04:00.0",
        "0002:03:1f.0",
        "0000:02:00.0",
        "0000:05:00.0",
    ]


@pytest.mark.parametrize(
    ("board", "ecc", "sriov", "wanted"),
    [
        ("T4", True, False, "1EB812A200000001"),
        ("A40", False, True, "2235145A00000002"),
        ("L40S", True, True, "26B9185100000003"),
        ("P40", False, False, "1B38000000000000"),
    ],
)
def test_the_metadata_string_of_a_gpu(board: str, ecc: bool, sriov: bool, wanted: str) -> None:
    """Device, subsystem and the word of ECC and SR-IOV, without the code that is not public."""
    gpu = replace(a_gpu(board=board, ecc=ecc), sriov=sriov)
    assert cards.metadata_string(gpu) == wanted
    assert cards.metadata_string(replace(gpu, migration=False)) == cards.gpu_uuid(gpu)


def test_aliases_stand_for_the_other_board_in_the_string() -> None:
    """Where the vendor treats two boards as one, both have the same string."""
    alias = facts.board_aliases()[0]
    gpu = a_gpu(board="A100D")
    other = replace(gpu, board=replace(gpu.board, pci_ids=(alias.alias,)))
    assert alias.stands_for in gpu.board.pci_ids
    assert cards.metadata_string(other) == cards.metadata_string(gpu)


@pytest.mark.parametrize(
    ("driver", "major", "cuda", "nvml", "branch"),
    [
        ("390.94", 390, 9010, "9.390.94", "r390_00"),
        ("410.107", 410, 10000, "10.410.107", "r410_00"),
        ("450.89", 450, 11000, "11.450.89", "r450_00"),
        ("460.32.04", 460, 11020, "11.460.32.04", "r460_00"),
        ("510.85.03", 510, 11060, "11.510.85.03", "r510_00"),
        ("525.60.12", 525, 12000, "12.525.60.12", "r525_00"),
        ("535.129.03", 535, 12020, "12.535.129.03", "r535_00"),
        ("570.124.03", 570, 12080, "12.570.124.03", "r570_00"),
        ("580.126.08", 580, 13000, "13.580.126.08", "r580_00"),
        ("590.44.01", 590, 13010, "13.590.44.01", "r590_00"),
        ("418.66", 418, 10010, "10.418.66", "r418_00"),
        ("430.46", 430, 10010, "10.430.46", "r430_00"),
        ("440.53", 440, 10020, "10.440.53", "r440_00"),
        ("470.63", 470, 11040, "11.470.63", "r470_00"),
        ("515.43.04", 515, 11060, "11.515.43.04", "r515_00"),
        ("550.54.16", 550, 12040, "12.550.54.16", "r550_00"),
        ("595.58.02", 595, 13020, "13.595.58.02", "r595_00"),
        ("700.1", 700, 13020, "13.700.1", "r700_00"),
        ("367.92", 367, 9010, "9.367.92", "r367_00"),
        ("closed", 580, 13000, "13.closed", "r580_00"),
    ],
)
def test_what_follows_from_a_driver(driver: str, major: int, cuda: int, nvml: str, branch: str) -> None:
    """CUDA is that of the driver's branch or the nearest older one; NVML's version carries both."""
    found = driver_facts(driver)
    assert (found.major, found.cuda_version, found.nvml, found.branch) == (major, cuda, nvml, branch)


def test_offsets_count_from_the_start_of_the_snapshot() -> None:
    """Two bases give the same content, their offsets apart by the difference."""
    host = a_host(gpus=[a_gpu(mode=PlacementMode.MIXED)], preset=VersionRange(1, 2))
    near = read_static(bytes(PAGE) + encode_static(host, Profile.DEFAULT, base=PAGE), PAGE)
    far = read_static(bytes(3 * PAGE) + encode_static(host, Profile.DEFAULT, base=3 * PAGE), 3 * PAGE)
    offsets = {name for name in near if name.endswith("_offset")}
    assert {name: far[name] - near[name] for name in offsets} == dict.fromkeys(offsets, 2 * PAGE)
    assert {name: near[name] for name in near if name not in offsets} == {
        name: far[name] for name in far if name not in offsets
    }
    assert all(near[name] % struct.calcsize("I") == 0 for name in offsets)
