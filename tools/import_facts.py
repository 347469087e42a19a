"""Convert the research facts into the project's own compact tables.

    python tools/import_facts.py SHARED_FACTS_DIR            write src/vgpu_migrate/facts/data
    python tools/import_facts.py SHARED_FACTS_DIR --check    exit 1 if a table there differs, write nothing

Rows of `boards.csv` and `vgpu_types.csv` are numbered by their place and those numbers travel in metadata
records, so both tables are append-only: a table that would move or drop a row is refused (exit 2).
Every source string of the research has a key here; an unknown one is refused, so that none is lost.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

DATA = Path(__file__).resolve().parent.parent / "src" / "vgpu_migrate" / "facts" / "data"

Fact = dict[str, Any]
Key = TypeVar("Key")

OGKM = "NVIDIA/open-gpu-kernel-modules"

SOURCES: dict[str, tuple[str, str]] = {
    "board-flags": (
        "Board, by its vgpu types in the chip flags",
        f"name, framebuffer (largest time-sliced profile) and slices from {OGKM}, g_vgpu_chip_flags.h at "
        "595.44.03; generation assigned by us, by name; PCI ids, where given, from the research facts",
    ),
    "board-names": (
        "Board, by its vgpu types in the released names",
        f"name, framebuffer (largest time-sliced profile) and slices from {OGKM}, g_nv_name_released.h at "
        "535.54.03; generation assigned by us, by name; PCI ids, where given, from the research facts",
    ),
    "alias-table": (
        "PCI ids treated as one board",
        f"{OGKM}, g_vgpu_resman_specific.h, alias table",
    ),
    "chip-flags": ("Names and PCI ids of vgpu types", f"{OGKM}, g_vgpu_chip_flags.h at 595.44.03"),
    "released-names": ("Names and PCI ids of vgpu types", f"{OGKM}, g_nv_name_released.h at 535.54.03"),
    "resman-specific": ("Type ids", f"{OGKM}, g_vgpu_resman_specific.h at 595.44.03"),
    "vgpu-config": (
        "Type ids",
        "vgpuConfig.xml of 510.47.03; L40S and H200X: dumps of creatable_vgpu_types on KVM hosts",
    ),
    "capture-rtxpro6000": ("Type id", "capture of nvidia-smi vgpu -q on an RTX Pro 6000 host at 580.105.06"),
    "no-type-id": ("Type id not public", "none known; a synthetic one, 0x10000 + row, is shown instead"),
    "series-defaults": (
        "Heads, resolution, frame rate limit and CUDA of a vgpu type",
        "defaults of its series from vgpuConfig.xml of 510.47.03 and NVIDIA's documentation; inferred by "
        "series for MIG-backed types and for boards from Hopper on",
    ),
    "listed": ("Max instances, listed by the vendor", "NVIDIA/vgpu-device-manager, config-example.yaml"),
    "derived": (
        "Max instances, derived",
        "board framebuffer / profile framebuffer, at most 32; fits 466 of the 471 listed time-sliced types",
    ),
    "derived by slices": (
        "Max instances, derived by slices",
        "slices of the board / slices of the type: one vgpu per GPU instance, which Blackwell may exceed",
    ),
    "derived against the list": (
        "Max instances, derived against the list",
        "98304 / 16384; config-example.yaml says 2, which its own 4 for the larger DC-24Q contradicts",
    ),
    "vgpu-docs": ("vGPU software releases", "docs.nvidia.com/vgpu, index of releases"),
    "proxmox-installer": (
        "vGPU software releases",
        "anomixer/proxmox-vgpu-installer, proxmox-installer.sh",
    ),
    "version-tags": (
        "Version constants by driver tag",
        f"{OGKM}, src/nvidia/inc/kernel/vgpu/vgpu_version.h at the tag of the driver",
    ),
    "version-header": ("vGPU version numbers", f"{OGKM}, src/nvidia/inc/kernel/vgpu/vgpu_version.h"),
    "version-map": (
        "Internal to external vGPU version",
        f"{OGKM}, src/nvidia/inc/kernel/vgpu/vgpu_version.h at 595.44.03",
    ),
    "branch-order": ("vGPU version by order of branches", "inferred: neighbours in vgpu_version.h"),
    "header-12": (
        "vGPU version of vGPU 12",
        f"{OGKM}, vgpu_version.h, macro VGPU_12_0 = 1A.18",
    ),
    "log-470": (
        "vGPU versions of vGPU 13",
        "nvidia-vgpu-mgr log of a 470.68 host; vgpu_version.h: VGPU_13_0 = 1C.0A, 0xB0002 for later 470",
    ),
    "log-496": ("vGPU version of R495", "log of a 496.49 guest: 0xC0001"),
    "log-510": ("vGPU versions of vGPU 14", "log of a 510.85.03 host"),
    "log-550": ("vGPU versions of vGPU 17", f"{OGKM}, vgpu_version.h, and log of a 550.54.10 host"),
    "header-570-beta": (
        "vGPU versions of the R570 beta",
        f"{OGKM}, vgpu_version.h at 570.86.15 and 570.86.16",
    ),
    "branch-policy": (
        "Which manager goes with which guest",
        "docs.nvidia.com/vgpu, branches and their support; unlisted branches are not vGPU software",
    ),
    "notes-8.0": ("Same main branch", "vGPU 8.0 release notes for RHEL KVM"),
    "notes-15": (
        "Guest of the previous branch",
        "vGPU 15.x release notes; that it began with 11: third-party blog",
    ),
    "notes-19.0": (
        "Guest of the previous LTS branch",
        "vGPU 19.0 release notes for VMware, Azure and XenServer",
    ),
    "notes-otherwise": (
        "Any other pairing",
        'vGPU release notes: the guest driver loads, but "the NVIDIA vGPU fails to load"',
    ),
    "vmware-stun": (
        "Stun times",
        "published for VMware vSphere vMotion: V100, 10 GbE, expected seconds by framebuffer",
    ),
}

TYPE_SOURCES = {
    "g_vgpu_chip_flags.h@595.44.03": "chip-flags",
    "g_nv_name_released.h@535.54.03": "released-names",
}
BOARD_SOURCES = {"chip-flags": "board-flags", "released-names": "board-names"}
TYPE_ID_SOURCES = {
    None: "no-type-id",
    "g_vgpu_resman_specific.h@595.44.03": "resman-specific",
    "vgpuConfig.xml 510.47.03 (L40S/H200X: creatable_vgpu_types dumps)": "vgpu-config",
    "capture nvidia-smi-vgpu-q-RTXPRO6000-580.105.06-1": "capture-rtxpro6000",
}
MAX_SOURCES = {
    "vgpu-device-manager config-example.yaml": "listed",
    "derived: board_fb/profile_fb, RM cap 32 non-MIG (inferred)": "derived",
    "inferred: 98304/16384; the vendor list says 2, which its own 24Q (4) contradicts": (
        "derived against the list"
    ),
}
ATTRIBUTE_SOURCE = (
    "series defaults from vgpuConfig.xml 510.47.03 + NVIDIA docs; MIG-backed and Hopper+/Blackwell = "
    "inferred by series"
)
RELEASE_SOURCES = {
    "docs.nvidia.com/vgpu index": "vgpu-docs",
    "anomixer/proxmox-vgpu-installer:proxmox-installer.sh": "proxmox-installer",
}
BRANCH_BASES = {
    "inferred (branch order)": ("inferred", "branch-order"),
    "inferred": ("inferred", "branch-order"),
    "open-gpu-kernel-modules vgpu_version.h macro VGPU_12_0=1A.18": ("source", "header-12"),
    "header macro VGPU_13_0=1C.0A; host range from a 470.68 nvidia-vgpu-mgr log; 0xB0002 exists in the header"
    " for later 470s": ("measured", "log-470"),
    "guest 496.49 log = 0xc0001": ("measured", "log-496"),
    "510.85.03 host log": ("measured", "log-510"),
    "open-gpu-kernel-modules vgpu_version.h": ("source", "version-header"),
    "open-gpu-kernel-modules vgpu_version.h + 550.54.10 host log": ("source", "log-550"),
    "open-gpu-kernel-modules vgpu_version.h tag 570.86.x": ("source", "header-570-beta"),
}
# Parts of R570 by number: FIRST..BEFORE, the second not included, compared number by number.
BRANCH_PARTS = {
    "R570 (<570.123)": ("R570", "before 570.123 (beta)", "570..570.123"),
    "R570 (570.123.01-.06, 570.124.x)": (
        "R570",
        "570.123.01-570.123.06 and 570.124-570.132",
        "570.123..570.123.07|570.124..570.133",
    ),
    "R570 (>=570.123.07, >=570.133.07)": (
        "R570",
        "570.123.07 and later 570.123.x, and 570.133 on",
        "570.123.07..570.124|570.133..571",
    ),
}

GENERATION_BY_NAME = {
    **dict.fromkeys(("M10", "M6", "M60"), "maxwell"),
    **dict.fromkeys(("T4", "RTX6000", "RTX6000P", "RTX8000", "RTX8000P"), "turing"),
    **dict.fromkeys(
        ("L2", "L20", "L4", "L40", "L40S", "L40G", "RTX5000-Ada", "RTX5880-Ada", "RTX6000-Ada"), "ada"
    ),
    **dict.fromkeys(("B200X", "B300X", "GB200", "RTX Pro 6000 Blackwell DC", "RTX 6000D"), "blackwell"),
}
GENERATION_BY_START = {
    "V100": "volta",
    "RTXA": "ampere",
    "GH200": "hopper",
    "P": "pascal",
    "A": "ampere",
    "H": "hopper",
}
# The board's own code in short spellings, where it is not the board's name (facts/README.md, note 3).
SHORT_BOARD_CODES = {"RTX Pro 6000 Blackwell DC": "DC"}

STUN_SECONDS_BY_FRAMEBUFFER_GIB = {1: 2, 2: 4, 4: 6, 8: 12, 16: 22, 32: 39}
"""facts/README.md, note 10: the one table that stands in its text alone."""


class ImportRefusedError(Exception):
    """The research facts say something this program does not know how to carry over."""


def generation_of(board: str) -> str:
    """The architecture of a board, by its name. Our own assignment."""
    if board in GENERATION_BY_NAME:
        return GENERATION_BY_NAME[board]
    for start, generation in GENERATION_BY_START.items():
        if board.startswith(start):
            return generation
    raise ImportRefusedError(f"board {board}: no generation is assigned to this name")


def key_of(table: Mapping[Key, str], text: Key, *, place: str) -> str:
    """The source key that stands for a source string of the research."""
    if text not in table:
        raise ImportRefusedError(f"{place}: no key for the source {text!r}")
    return table[text]


def max_instances_of(fact: Fact, *, board_framebuffer_mib: int, board_slices: int) -> tuple[int, str]:
    """How many instances of a type a gpu holds, and where that comes from."""
    if fact["max_instances"] is not None:
        return fact["max_instances"], key_of(MAX_SOURCES, fact["max_src"], place=fact["short"])
    if fact["gi_slices"]:
        return board_slices // fact["gi_slices"], "derived by slices"
    return min(32, board_framebuffer_mib // fact["fb_mb"]), "derived"


def by_board(facts: Iterable[Fact]) -> dict[str, list[Fact]]:
    """The vgpu types of each board, boards in order of first appearance."""
    grouped: dict[str, list[Fact]] = {}
    for fact in facts:
        grouped.setdefault(fact["gpu"], []).append(fact)
    return grouped


def framebuffer_mib_of(types: Iterable[Fact]) -> int:
    """A board's framebuffer: that of its largest time-sliced profile."""
    return int(max(fact["fb_mb"] for fact in types if not fact["gi_slices"]))


def slices_of(types: Iterable[Fact]) -> int:
    """A board's slices: those of its largest MIG-backed type, 0 without one."""
    return int(max(fact["gi_slices"] for fact in types))


def boards_table(types: Sequence[Fact], pci_ids: Sequence[Fact]) -> str:
    """`boards.csv`. `type_devices` are the device ids that the board's vgpu types name."""
    grouped = by_board(types)
    known: dict[str, list[Fact]] = {}
    for fact in pci_ids:
        if fact["board"] not in grouped:
            raise ImportRefusedError(f"pgpu_ids.json: {fact['board']} is no board of vgpu_types.json")
        known.setdefault(fact["board"], []).append(fact)
    rows = []
    for board, of_board in grouped.items():
        sources = {key_of(TYPE_SOURCES, fact["ids_src"], place=fact["short"]) for fact in of_board}
        if len(sources) != 1:
            raise ImportRefusedError(f"board {board}: its types come from several sources {sorted(sources)}")
        rows.append(
            (
                board,
                generation_of(board),
                framebuffer_mib_of(of_board),
                slices_of(of_board),
                "|".join(fact["gpu"] for fact in known.get(board, ())),
                "|".join(pci_text(fact["dev"], fact["subsys"]) for fact in known.get(board, ())),
                "|".join(sorted({hex_digits(fact["dev_id"]) for fact in of_board})),
                BOARD_SOURCES[sources.pop()],
            )
        )
    header = (
        "board",
        "generation",
        "framebuffer_mib",
        "mig_slices",
        "marketing_names",
        "pci_ids",
        "type_devices",
        "source",
    )
    return csv_text(header, rows)


def types_table(types: Sequence[Fact]) -> str:
    """`vgpu_types.csv`, in the order of the research. `also` is a further short spelling."""
    framebuffers = {board: framebuffer_mib_of(of_board) for board, of_board in by_board(types).items()}
    slices = {board: slices_of(of_board) for board, of_board in by_board(types).items()}
    rows = []
    for fact in types:
        short, board = fact["short"], fact["gpu"]
        brand = fact["name"].removesuffix(f" {short}")
        if brand not in ("GRID", "NVIDIA") or not short.startswith(f"{board}-"):
            raise ImportRefusedError(
                f"{short}: the long name {fact['name']} or the board {board} does not fit"
            )
        if fact["attrs_src"] != ATTRIBUTE_SOURCE or fact["mig_backed"] != bool(fact["gi_slices"]):
            raise ImportRefusedError(f"{short}: attributes from an unknown source, or slices that do not fit")
        max_instances, max_basis = max_instances_of(
            fact, board_framebuffer_mib=framebuffers[board], board_slices=slices[board]
        )
        code = SHORT_BOARD_CODES.get(board)
        rows.append(
            (
                short,
                brand,
                code + short.removeprefix(board) if code else "",
                board,
                fact["series"],
                fact["gi_slices"],
                fact["fb_mb"],
                hex_digits(fact["dev_id"]),
                hex_digits(fact["subsys_id"]),
                "" if fact["type_id"] is None else fact["type_id"],
                max_instances,
                max_basis,
                fact["heads"],
                fact["max_x"],
                fact["max_y"],
                fact["frl"],
                int(fact["cuda"]),
                key_of(TYPE_SOURCES, fact["ids_src"], place=short),
                key_of(TYPE_ID_SOURCES, fact["type_id_src"], place=short),
            )
        )
    header = (
        "short",
        "brand",
        "also",
        "board",
        "series",
        "gi_slices",
        "framebuffer_mib",
        "device_id",
        "subsystem_id",
        "type_id",
        "max_instances",
        "max_instances_basis",
        "heads",
        "max_x",
        "max_y",
        "frame_rate_limit",
        "cuda",
        "source",
        "type_id_source",
    )
    return csv_text(header, rows)


def releases_table(releases: Sequence[Mapping[str, str]]) -> str:
    """`releases.csv`, newest first as in the research."""
    header = (
        "release",
        "branch",
        "branch_type",
        "host_linux",
        "host_windows",
        "guest_linux",
        "guest_windows",
        "date",
        "range_minimum",
        "range_maximum",
        "source",
        "note",
    )
    return csv_text(
        header,
        (
            (
                fact["release"],
                fact["branch"],
                fact["branch_type"],
                fact["host_linux_manager"],
                fact["host_windows_manager"],
                fact["guest_linux"],
                fact["guest_windows"],
                fact["date"],
                fact["host_range_min"],
                fact["host_range_max"],
                key_of(RELEASE_SOURCES, fact["source"], place=f"release {fact['release']}"),
                fact["note"],
            )
            for fact in releases
        ),
    )


def driver_tags_table(tags: Sequence[Mapping[str, str]]) -> str:
    """`driver_tags.csv`, oldest first as in the research."""
    header = (
        "tag",
        "date",
        "internal_version",
        "external_version",
        "range_minimum",
        "range_maximum",
        "guest_minimum",
        "source",
    )
    return csv_text(
        header,
        (
            (
                fact["tag"],
                fact["tag_date"],
                fact["internal_rpc_version"],
                fact["external_of_internal"],
                fact["host_range_min"],
                fact["host_range_max"],
                fact["guest_min_external"],
                "version-tags",
            )
            for fact in tags
        ),
    )


def branches_table(branches: Sequence[Fact]) -> str:
    """`branches.csv`: one row per branch, three for R570, whose `spans` say which numbers they hold."""
    header = (
        "branch",
        "part",
        "spans",
        "vgpu_release",
        "internal_major",
        "newest_external",
        "range_minimum",
        "range_maximum",
        "guest_minimum",
        "basis",
        "source",
    )
    rows = []
    for fact in branches:
        branch, part, spans = BRANCH_PARTS.get(fact["branch"], (fact["branch"], "", ""))
        if fact["basis"] not in BRANCH_BASES or not branch.removeprefix("R").isdigit():
            raise ImportRefusedError(f"branch {fact['branch']}: unknown part or basis {fact['basis']!r}")
        rows.append(
            (
                branch,
                part,
                spans,
                "" if fact["vgpu_sw"] == "-" else fact["vgpu_sw"],
                fact["internal_major"],
                fact["newest_external"],
                *(fact["host_range"] or ("", "")),
                fact["guest_min_external"] or "",
                *BRANCH_BASES[fact["basis"]],
            )
        )
    return csv_text(header, rows)


def internal_versions_table(versions: Sequence[Fact]) -> str:
    """`internal_versions.csv`: which internal numbers one external number stands for."""
    return csv_text(
        ("internal_major", "minor_first", "minor_last", "external", "source"),
        (
            (fact["internal_major"], fact["minor_lo"], fact["minor_hi"], fact["external"], "version-map")
            for fact in versions
        ),
    )


def board_aliases_table(aliases: Sequence[Fact]) -> str:
    """`board_aliases.csv`: PCI ids that the vendor treats as another's."""
    return csv_text(
        ("alias", "stands_for", "source"),
        ((fact["from"].upper(), fact["to"].upper(), "alias-table") for fact in aliases),
    )


def stun_times_table() -> str:
    """`stun_times.csv`: expected seconds for which a VM stands still, by framebuffer."""
    return csv_text(
        ("framebuffer_mib", "seconds", "source"),
        ((gib * 1024, seconds, "vmware-stun") for gib, seconds in STUN_SECONDS_BY_FRAMEBUFFER_GIB.items()),
    )


def branch_policy_text(policy: Fact) -> str:
    """`branch_policy.toml`: the branches in order, and the rules that say which pairs are documented."""
    expected = ("release <= 10", "release >= 11", "19.0 RN", "all", "all")
    if tuple(rule["applies"] for rule in policy["rules"]) != expected:
        raise ImportRefusedError("branch_policy.json: its rules are not the five that this program knows")
    lines = [
        "# Which guest drivers a vGPU Manager is documented to work with. Made by tools/import_facts.py.",
        'source = "branch-policy"',
        "",
        "# Manager and guest driver of the same main branch.",
        "[same_branch]",
        'source = "notes-8.0"',
        "",
        "# From this manager release on, also a guest driver of the previous branch.",
        "[previous_branch]",
        "from_release = 11",
        'source = "notes-15"',
        "",
        "# From this LTS manager release on, also a guest driver of the previous LTS branch.",
        "[previous_lts]",
        "from_release = 19",
        'source = "notes-19.0"',
        "",
        "# Any other pairing.",
        "[otherwise]",
        'source = "notes-otherwise"',
    ]
    for fact in policy["branches"]:
        lines += [
            "",
            "[[branches]]",
            f"release = {int(fact['vgpu'])}",
            f"branch = {toml_string(fact['branch'])}",
            f"type = {toml_string(fact['type'])}",
            f"end_of_life = {toml_string(fact['eol'] or '')}",
        ]
    return "\n".join(lines) + "\n"


def sources_text() -> str:
    """`sources.toml`: what each source key stands for."""
    lines = ["# What the source keys of the tables stand for. Made by tools/import_facts.py."]
    for key, (title, where) in SOURCES.items():
        lines += [
            "",
            f"[{toml_string(key)}]",
            f"title = {toml_string(title)}",
            f"where = {toml_string(where)}",
        ]
    return "\n".join(lines) + "\n"


def toml_string(text: str) -> str:
    """A TOML basic string; JSON's escapes are TOML's."""
    return json.dumps(text, ensure_ascii=False)


def hex_digits(text: str) -> str:
    """`0x20f1` as `20F1`, four digits."""
    return f"{int(text, 16):04X}"


def pci_text(device: str, subsystem: str | None) -> str:
    """`DEVICE` or `DEVICE:SUBSYSTEM`, four digits each."""
    return hex_digits(device) if subsystem is None else f"{hex_digits(device)}:{hex_digits(subsystem)}"


def csv_text(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table as CSV with one header line and bare line feeds."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return out.getvalue()


def tables(facts: Path) -> dict[str, str]:
    """Every file this program makes, by name, from the folder of the research facts.

    Raises:
        ImportRefusedError: the facts hold something that has no place in the tables.
        OSError: a file of the facts cannot be read.
    """

    def read_json(name: str) -> Any:
        return json.loads((facts / name).read_text(encoding="utf-8"))

    def read_csv(name: str) -> list[dict[str, str]]:
        return list(csv.DictReader((facts / name).read_text(encoding="utf-8").splitlines()))

    types = read_json("vgpu_types.json")
    version_map = read_json("vgpu_version_map.json")
    return {
        "boards.csv": boards_table(types, read_json("pgpu_ids.json")),
        "vgpu_types.csv": types_table(types),
        "releases.csv": releases_table(read_csv("releases.csv")),
        "driver_tags.csv": driver_tags_table(read_csv("vgpu_versions_by_tag.csv")),
        "branches.csv": branches_table(version_map["branches"]),
        "internal_versions.csv": internal_versions_table(version_map["internal_to_external"]),
        "board_aliases.csv": board_aliases_table(read_json("alias_pgpu.json")),
        "branch_policy.toml": branch_policy_text(read_json("branch_policy.json")),
        "stun_times.csv": stun_times_table(),
        "sources.toml": sources_text(),
    }


def refuse_moved_rows(name: str, *, old: str, new: str) -> None:
    """Refuse a numbered table whose present rows would not keep their numbers.

    Raises:
        ImportRefusedError: a row has moved, changed its name, or is gone.
    """
    old_names = [row[0] for row in csv.reader(old.splitlines())]
    new_names = [row[0] for row in csv.reader(new.splitlines())]
    for number, name_there in enumerate(old_names):
        if new_names[number : number + 1] != [name_there]:
            raise ImportRefusedError(f"{name}: row {number - 1}, {name_there}, would not keep its number")


def differing(made: Mapping[str, str], data: Path) -> list[str]:
    """The names of the tables that are absent from `data` or not what was made."""
    return [
        name
        for name, text in made.items()
        if not (data / name).is_file() or (data / name).read_text(encoding="utf-8") != text
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Write or check the tables. Exit status 0 done, 1 `--check` found a difference, 2 refused."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("facts", type=Path, help="the folder of the research facts")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a table differs")
    options = parser.parse_args(arguments)
    try:
        made = tables(options.facts)
        for name in ("boards.csv", "vgpu_types.csv"):
            if (DATA / name).is_file():
                refuse_moved_rows(name, old=(DATA / name).read_text(encoding="utf-8"), new=made[name])
    except (ImportRefusedError, OSError) as error:
        print(f"import_facts: {error}", file=sys.stderr)
        return 2
    differ = differing(made, DATA)
    if options.check:
        for name in differ:
            print(f"import_facts: {DATA / name} differs from what the facts make", file=sys.stderr)
        return 1 if differ else 0
    DATA.mkdir(parents=True, exist_ok=True)
    for name in differ:
        (DATA / name).write_text(made[name], encoding="utf-8")
    print(f"{len(differ)} of {len(made)} tables written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
