"""Single captures: known by content, read with their places, refused where they are no text, XML or tar."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vgpu_migrate.captures import CaptureFile, Findings, HostCaptures, import_hosts, read_capture
from vgpu_migrate.errors import InputError

FILES = Path(__file__).parent / "files"
KINDS_OF_REAL_CAPTURES = {
    "libvirt-hostdev-mdev-P100-510-1.xml": "a hostdev of virsh dumpxml",
    "libvirt-hostdev-vf-unknown-1.xml": "a hostdev of virsh dumpxml",
    "mdevctl-list-P100-510-1.txt": "mdevctl list",
    "mdevctl-list-V100-470.68-1.txt": "mdevctl list",
    "mdevctl-types-P100-510-1.txt": "mdevctl types",
    "nodedev-dumpxml-P100-510-1.xml": "virsh nodedev-dumpxml",
    "nvidia-smi-T4-470.63-1.txt": "nvidia-smi",
    "nvidia-smi-q-H100NVL-550.127.06-1.txt": "nvidia-smi -q",
    "nvidia-smi-q-P40-535.129.03-1.txt": "nvidia-smi -q",
    "nvidia-smi-q-RTXPRO6000-580.105.06-1.txt": "nvidia-smi -q",
    "nvidia-smi-q-x-M10-390.94-1.xml": "nvidia-smi -q -x",
    "nvidia-smi-vgpu-A40-550.163.02-1.txt": "nvidia-smi vgpu",
    "nvidia-smi-vgpu-T4-470.63-1.txt": "nvidia-smi vgpu",
    "nvidia-smi-vgpu-q-RTXPRO6000-580.105.06-1.txt": "nvidia-smi vgpu -q",
    "sysfs-mdev-A2-unknown-1.txt": "a text dump of sysfs",
    "sysfs-mdev-A40-550.163.02-1.txt": "lines of mdev types",
    "sysfs-mdev-ls-T4-470.63-1.txt": "names of mdev types",
    "sysfs-vendor-vfio-L40S-unknown-1.txt": "a text dump of sysfs",
    "vgpu-mgr-log-V100-470.68-1.log": "the manager's log",
}

SMI_XML = b"""<?xml version="1.0" ?>
<!DOCTYPE nvidia_smi_log SYSTEM "nvsmi_device_v12.dtd">
<nvidia_smi_log>
  <driver_version>535.161.05</driver_version>
  <attached_gpus>2</attached_gpus>
  <gpu id="00000000:17:00.0">
    <product_name>NVIDIA A40</product_name>
    <uuid>GPU-0</uuid>
    <gpu_virtualization_mode>
      <virtualization_mode>Host VGPU</virtualization_mode>
      <host_vgpu_mode>SR-IOV</host_vgpu_mode>
    </gpu_virtualization_mode>
    <pci><pci_device_id>223510DE</pci_device_id><pci_sub_system_id>145A10DE</pci_sub_system_id></pci>
    <ecc_mode><current_ecc>Disabled</current_ecc></ecc_mode>
  </gpu>
</nvidia_smi_log>
"""
NODE = b"""<device><name>pci_0000_3b_00_4</name><capability type='pci'>
<domain>0</domain><bus>59</bus><slot>0</slot><function>4</function><product id='0x2235'/>
<capability type='phys_function'><address domain='0x0000' bus='0x3b' slot='0x00' function='0x0'/></capability>
<capability type='mdev_types'><type id='nvidia-558'><name>NVIDIA A40-2Q</name></type></capability>
</capability></device>
"""


def read(data: bytes) -> tuple[str, Findings]:
    """A capture that is known."""
    found = read_capture(data, file="f")
    assert found is not None
    return found


def imported(*files: bytes, driver: str | None = "535.161.05") -> dict[str, object]:
    """The host that captures give, all of one folder."""
    captures = [CaptureFile("f", *read(data)) for data in files]
    host: dict[str, object] = import_hosts([HostCaptures("h", tuple(captures), driver)]).data["hosts"][0]
    return host


@pytest.mark.parametrize("name", KINDS_OF_REAL_CAPTURES)
def test_real_captures_are_known_by_their_content(name: str) -> None:
    """Each is of its kind whatever it is called, and says something."""
    shared = os.environ.get("VGPU_MIGRATE_SHARED")
    if shared is None:
        pytest.skip("VGPU_MIGRATE_SHARED does not name the folder that holds data/captures/")
    data = (Path(shared) / "data" / "captures" / name).read_bytes()
    kind, findings = read(data)
    assert kind == KINDS_OF_REAL_CAPTURES[name]
    assert findings != Findings()


def test_a_log_in_xml_gives_its_gpus_and_the_line_of_each_value() -> None:
    """The vendor's DOCTYPE is passed over, and a gpu that is counted but not listed is named."""
    kind, findings = read(SMI_XML)
    (gpu,) = findings.gpus
    assert kind == "nvidia-smi -q -x"
    assert (findings.drivers[0].text, findings.drivers[0].place) == ("535.161.05", "f:4")
    assert (gpu.address, gpu.words["device"].text, gpu.words["ecc"].text) == (
        "0000:17:00.0",
        "2235",
        "Disabled",
    )
    assert [str(row) for row in findings.contradictions] == [
        "f:5: number of attached gpus: 2; taken: 1 (f:6)"
    ]


def test_a_log_of_vgpus_in_xml_is_named() -> None:
    """What looks like `vgpu -q -x` says that its vgpus are not read; gpus and driver are, as of `-q -x`."""
    assert read(SMI_XML)[1].notes == ()
    _, findings = read(SMI_XML.replace(b"  <uuid>", b"<active_vgpus>1</active_vgpus>\n<uuid>"))
    assert [str(note.text) for note in findings.notes] == [
        "the XML of `nvidia-smi vgpu -q -x` is not read; use `nvidia-smi vgpu -q`"
    ]
    assert (findings.notes[0].place, len(findings.gpus)) == ("f:8", 1)


def test_ids_of_pci_in_xml_have_no_prefix() -> None:
    """`223510DE` is device 2235, as `0x223510DE` is."""
    assert imported(SMI_XML.replace(b"NVIDIA A40", b"N/A")) == {
        "id": "h",
        "driver": "535.161.05",
        "gpus": [{"id": "GPU-0", "board": "A40", "pci": "0000:17:00.0", "ecc": False}],
    }


def test_a_virtual_function_stands_for_its_gpu() -> None:
    """Types of a function are those of the gpu that `phys_function` names."""
    assert imported(NODE)["gpus"] == [{"board": "A40", "pci": "0000:3b:00.0", "types": ["A40-2Q"]}]


def test_a_type_whose_id_and_name_differ_is_named() -> None:
    """The name is taken, and both are told with where they stand."""
    captures = CaptureFile("f", *read(b"nvidia-999, NVIDIA A40-2Q 1\n"))
    found = import_hosts([HostCaptures("h", (captures,), "535.161.05")])
    assert [str(row) for row in found.contradictions] == [
        "f:1: type id of A40-2Q: nvidia-999; taken: nvidia-558 (the tables)"
    ]


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b'<!DOCTYPE domain [<!ENTITY a "b">]><domain>&a;</domain>', "f:1: DOCTYPE domain"),
        (b'<!DOCTYPE nvidia_smi_log [<!ENTITY a "b">]><nvidia_smi_log/>', "f:1: DOCTYPE nvidia_smi_log"),
        (b'<!DOCTYPE nvidia_smi_log SYSTEM "x"><nvidia_smi_log>&a;</nvidia_smi_log>', "f:1: entity a"),
        (b"<domain>\n<name>", "f:2: no element found"),
        (b"<a>" * 100, "f:1: elements nested deeper"),
        (b"<domain><memory unit='acre'>1</memory></domain>", "f:1: <memory>: unit acre"),
        (b"<domain><memory>much</memory></domain>", "f:1: <memory>: much"),
        (b"\x7fELF\x02\x01\x01\x00\xff\xfe", "f: byte 8 is 0xff"),
        (b"text and\0zero", "f: binary data"),
        (b"x" * 5000, "f:1: 5000 characters"),
        (b" " * (16 * 2**20 + 1), "f: 16777217 bytes"),
        (b"\x1f\x8bgarbage", "f: a damaged archive"),
    ],
)
def test_what_is_no_capture_is_refused(data: bytes, problem: str) -> None:
    """The error says where and what stands there."""
    with pytest.raises(InputError) as caught:
        read_capture(data, file="f")
    assert str(caught.value).startswith(problem)


def archive(*members: tuple[str, bytes, bytes], packed: bool = False) -> bytes:
    """A tar of names, kinds and contents; a link's content is its target."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz" if packed else "w") as tar:
        for name, kind, content in members:
            member = tarfile.TarInfo(name)
            member.type = kind
            if kind == tarfile.REGTYPE:
                member.size = len(content)
            else:
                member.linkname = content.decode()
            tar.addfile(member, io.BytesIO(content) if kind == tarfile.REGTYPE else None)
    return out.getvalue()


VF = "sys/bus/pci/devices/0000:3b:00.4"


@pytest.mark.parametrize("packed", [False, True])
def test_a_tar_is_read_without_unpacking_it(packed: bool) -> None:
    """Files and the words of links are read, `physfn` among them."""
    data = archive(
        (
            f"{VF}/nvidia/creatable_vgpu_types",
            tarfile.REGTYPE,
            b"ID    : vGPU Name\n1153  : NVIDIA L40S-12Q\n",
        ),
        (f"{VF}/physfn", tarfile.SYMTYPE, b"../0000:3b:00.0"),
        packed=packed,
    )
    assert read(data)[0] == "a tar of sysfs"
    assert imported(data)["gpus"] == [{"board": "L40S", "pci": "0000:3b:00.0"}]


@pytest.mark.parametrize(
    ("member", "problem"),
    [
        (("../../etc/passwd", tarfile.REGTYPE, b""), "f: member '../../etc/passwd'"),
        (("/etc/passwd", tarfile.REGTYPE, b""), "f: member '/etc/passwd'"),
        (("a\x1bb", tarfile.REGTYPE, b""), "f: member 'a\\x1bb'"),
        (("pipe", tarfile.FIFOTYPE, b""), "f: member 'pipe'"),
        (("hard", tarfile.LNKTYPE, b"/etc/passwd"), "f: member 'hard'"),
        ((f"{VF}/device", tarfile.REGTYPE, b"x" * 70_000), f"f/{VF}/device: 70000 bytes"),
        (("much", tarfile.REGTYPE, b"\0" * (65 * 2**20)), "f: 1 members, 68157440 bytes and more"),
    ],
    ids=lambda value: value[0][:8] if isinstance(value, tuple) else "",
)
def test_members_that_have_no_place_in_a_tree_are_refused(
    member: tuple[str, bytes, bytes], problem: str
) -> None:
    """Names that lead out, what is no file, and what is too large, packed small or not."""
    with pytest.raises(InputError) as caught:
        read_capture(archive(member, packed=True), file="f")
    assert str(caught.value).startswith(problem)


SAMPLES = [path.read_bytes() for path in sorted(FILES.rglob("*")) if path.is_file()]


@given(
    st.sampled_from([*SAMPLES, SMI_XML, NODE]),
    st.integers(0, 3000),
    st.binary(max_size=12),
    st.integers(0, 40),
)
def test_damaged_captures_are_read_or_refused(sample: bytes, at: int, extra: bytes, gone: int) -> None:
    """Whatever bytes stand in them, there are findings that import, nothing, or an input error."""
    at = min(at, len(sample))
    try:
        found = read_capture(sample[:at] + extra + sample[at + gone :], file="f")
        if found is not None:
            import_hosts([HostCaptures("h", (CaptureFile("f", *found),), "535.161.05")], vm_memory_mib=1024)
    except InputError:
        return
