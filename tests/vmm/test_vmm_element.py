"""The saved records in a domain's metadata: written, read, and never guessed."""

from __future__ import annotations

import base64
import ctypes
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.vmm.guests import (
    BOOT,
    LATER,
    MDEV,
    a_domain,
    a_record,
    an_element,
    function,
    mdev,
    some_records,
    xenserver,
)

from vgpu_migrate.errors import InputError, RecordError
from vgpu_migrate.nvml import GuestInfoState, VgpuMetadata
from vgpu_migrate.vmm.domain_element import (
    GuestState,
    NoRecords,
    SavedRecords,
    SavedVgpu,
    Trouble,
    checksum,
    element_in,
    put_element,
    records_in,
)
from vgpu_migrate.vmm.domain_xml import LARGEST, address_of, changed, host_devices, parse_domain
from vgpu_migrate.vmm.local_driver import DriverCallError, LocalDriver, LocalGpu


def with_opaque(record: bytes, more: bytes) -> bytes:
    """The record with a longer opaque part, which it announces."""
    found = VgpuMetadata.from_bytes(record)
    return replace(found, opaque_data=found.opaque_data + more).to_bytes()


TEXTS = st.text(st.characters(codec="utf-8"), max_size=255).filter(str.isprintable)
TIMES = st.datetimes(datetime(2000, 1, 1), datetime(2099, 1, 1)).map(
    lambda when: when.replace(microsecond=0, tzinfo=UTC)
)
VGPUS = st.builds(
    SavedVgpu,
    st.builds(
        lambda guest_info, opaque: with_opaque(
            a_record(guest_info=guest_info, version=0x140001 if guest_info else None), opaque
        ),
        st.booleans(),
        st.binary(max_size=300),
    ),
    TEXTS,
    st.sampled_from(("", f"mdev:{MDEV}", "pci:0000:3b:00.4")),
)


def read(xml: bytes) -> SavedRecords | NoRecords:
    """What a domain carries."""
    return records_in(parse_domain(xml))


def trouble(xml: bytes) -> Trouble:
    """Why it carries nothing to go by."""
    found = read(xml)
    assert isinstance(found, NoRecords), found
    return found.trouble


@given(st.lists(VGPUS, min_size=1, max_size=6), TEXTS, TIMES, TIMES, st.sampled_from(GuestState))
def test_what_is_written_is_read(
    vgpus: list[SavedVgpu], host: str, first: datetime, second: datetime, state: GuestState
) -> None:
    """Any records come back as they were, in order and byte for byte, under libvirt's prefix as well."""
    boot, taken = sorted((first, second))
    records = SavedRecords(tuple(vgpus), taken, boot, boot, state, host)
    element = an_element(records)
    assert read(a_domain(element)) == records
    prefixed = element.replace(b"<vgpus xmlns=", b"<p:vgpus xmlns:p=").replace(b"</vgpus>", b"</p:vgpus>")
    prefixed = prefixed.replace(b"<vgpu ", b"<p:vgpu ").replace(b"</vgpu>", b"</p:vgpu>")
    assert read(a_domain(prefixed)) == records


@given(st.data())
def test_no_changed_byte_is_read_as_good(data: st.DataObject) -> None:
    """Whatever single character of the element is another, the records are the same or they are refused."""
    element = an_element()
    place = data.draw(st.integers(0, len(element) - 1))
    other = data.draw(st.integers(32, 126).filter(lambda byte: byte != element[place]))
    damaged = element[:place] + bytes([other]) + element[place + 1 :]
    try:
        found = read(a_domain(damaged))
    except InputError:
        return
    assert isinstance(found, NoRecords) or found == some_records()


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (b'count="1"', b'count="2"', "1 vgpus, its count says 2"),
        (b'sha256="', b'sha256="0', "its checksum does not fit"),
        (b'guest-info="i', b'guest-info="uni', "its record says initialized"),
        (b'state="running"', b'state="dancing"', "state dancing"),
        (b'taken="2026-11-23T17', b'taken="2026-11-23 17', "wanted a time such as"),
        (b"</vgpu>", b"*</vgpu>", "a record that is no base64"),
        (b'd">AQAAA', b'd">A', "wanted at least 212"),
        (b"</vgpu>", b"</vgpu><extra/>", "more than <vgpu> in it"),
        (b"</vgpu>", b"</vgpu>text", "more than <vgpu> in it"),
        (b"<vgpus ", b"<others ", "<others>, wanted <vgpus>"),
    ],
)
def test_damage_is_told(old: bytes, new: bytes, says: str) -> None:
    """A damaged element is told as such, and what is damaged."""
    element = an_element().replace(old, new, 1)
    element = element.replace(b"</vgpus>", b"</others>") if b"others" in element else element
    found = read(a_domain(element))
    assert isinstance(found, NoRecords)
    assert (found.trouble, says in found.reason) == (Trouble.DAMAGED, True), found.reason


def test_a_record_of_an_older_boot_is_stale() -> None:
    """Where the guest has booted since, by the element or by the caller, the record is stale."""
    stale = a_domain(an_element(last_boot=LATER))
    assert trouble(stale) is Trouble.STALE
    good = parse_domain(a_domain(an_element()))
    assert records_in(good, booted=BOOT) == some_records()
    found = records_in(good, booted=LATER)
    assert found == NoRecords(
        Trouble.STALE,
        "its saved record is stale: taken 2026-11-23T17:30:00Z, in the boot of 2026-11-23T09:12:44Z; "
        "the guest booted at 2026-11-23T17:30:00Z",
    )


@pytest.mark.parametrize("old", [b'version="1"', b"domain:1"])
@pytest.mark.parametrize("number", [b"0", b"2"])
def test_another_version_is_told(old: bytes, number: bytes) -> None:
    """An element of an older or newer version is not read as if it were of this one."""
    assert trouble(a_domain(an_element().replace(old, old.replace(b"1", number)))) is Trouble.OTHER_VERSION


def test_absent_and_twice() -> None:
    """A guest without the element has no record; one with two has a damaged one."""
    assert trouble(a_domain()) is Trouble.ABSENT
    assert trouble(a_domain(an_element() * 2)) is Trouble.DAMAGED


def test_xenserver_form_is_read() -> None:
    """XenServer's JSON gives the records in order, without dates; anything else in it is damage."""
    first, second = a_record(), a_record(ecc=False)
    found = read(a_domain(xenserver(first, second)))
    assert found == SavedRecords((SavedVgpu(first), SavedVgpu(second)), None, None, None)
    for wrong in (
        b'{"nvidia": 7}',
        b'{"amd": ""}',
        b'{"nvidia": "AAAA"}',
        b"{",
        b'{"nvidia": "*"}',
        b"[{}]{",
    ):
        element = b"<vgpus xmlns='urn:vgpu-migrate:domain:1'>" + wrong + b"</vgpus>"
        assert trouble(a_domain(element)) is Trouble.DAMAGED
    assert trouble(a_domain(xenserver(first[:-1]))) is Trouble.DAMAGED


def test_guest_info_is_visible() -> None:
    """The element says in words whether the guest driver had reported."""
    silent = SavedVgpu(a_record(guest_info=False, version=None))
    assert silent.guest_info is GuestInfoState.UNINITIALIZED
    assert b'guest-info="uninitialized"' in an_element(some_records(silent))


@pytest.mark.parametrize(
    "changes",
    [
        {"taken": None},
        {"taken": BOOT.replace(year=2025)},
        {"boot": BOOT.replace(tzinfo=None)},
        {"boot": BOOT.replace(microsecond=1)},
        {"host": "a\nb"},
        {"vgpus": ()},
        {"vgpus": (SavedVgpu(a_record()),) * 65},
        {"vgpus": (SavedVgpu(with_opaque(a_record(), bytes(1 << 16))),)},
        {"vgpus": (SavedVgpu(a_record(), device="mdev:x"),)},
    ],
)
def test_what_cannot_be_read_is_not_written(changes: dict[str, object]) -> None:
    """A value that the element cannot hold is refused when it is written."""
    with pytest.raises(InputError, match="saved records: "):
        an_element(replace(some_records(), **changes))  # type: ignore[arg-type]


def test_a_record_that_announces_more_than_it_has_is_damaged() -> None:
    """Such a record is neither written nor read, under a good checksum either, nor shown to a driver."""
    liar = bytearray(a_record())
    liar[204:208] = (0xFFFFFFF0).to_bytes(4, "little")
    with pytest.raises(RecordError, match="truncated"):
        an_element(some_records(SavedVgpu(bytes(liar))))
    good = some_records()
    bad = replace(good, vgpus=(SavedVgpu(bytes(liar), "L40S-12Q"),))
    forged = an_element(good).replace(base64.b64encode(good.vgpus[0].record), base64.b64encode(liar))
    forged = forged.replace(checksum(good).encode(), checksum(bad).encode())
    found = read(a_domain(forged))
    assert isinstance(found, NoRecords)
    assert (found.trouble, "truncated" in found.reason) == (Trouble.DAMAGED, True), found.reason
    driver = LocalDriver(ctypes.CDLL(None))  # without NVML: a call would be FUNCTION_NOT_FOUND
    with pytest.raises(DriverCallError, match="was not asked: the record is truncated"):
        driver.compatibility(bytes(liar), LocalGpu(ctypes.c_void_p(), "gpu", b""))


def test_no_record_is_not_written() -> None:
    """Bytes that are no record are refused when they are written."""
    with pytest.raises(RecordError):
        an_element(some_records(SavedVgpu(b"x")))


@pytest.mark.parametrize(
    ("xml", "says"),
    [
        (b"", "nothing"),
        (b"<domain>", "no XML"),
        (b"\xff", "wanted UTF-8"),
        ("<domain/>".encode("utf-16-le"), "byte 1 is 0x00"),
        (b"<other/>", "its root is <other>"),
        (b'<!DOCTYPE d [<!ENTITY a "b">]><domain>&a;</domain>', "a DOCTYPE"),
        ("<domain><name>g</name></domain>".encode("utf-16"), "byte 0 is 0xff; wanted UTF-8"),
        (b"<domain>&a;</domain>", "no XML"),
        (b"<domain>" + b"<a>" * 70 + b"</a>" * 70 + b"</domain>", "elements within 64 others"),
        (b"<domain>" + b" " * LARGEST + b"</domain>", "more than"),
    ],
)
def test_xml_is_bounded(xml: bytes, says: str) -> None:
    """What is no domain, or could make the reader work without end, is an error that says so."""
    with pytest.raises(InputError) as caught:
        parse_domain(xml)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    "xml",
    [
        a_domain(),
        a_domain(an_element(last_boot=LATER)),
        a_domain(an_element() * 2),
        b"<domain><name>a</name></domain>",
        b"<domain><metadata a='>'/><name>a</name></domain>",
        b"<domain><name a='>'/><metadata></metadata></domain>",
        b"<domain><a><b/></a><metadata><x/></metadata><c/></domain>",
    ],
)
def test_putting_records_in_changes_nothing_else(xml: bytes) -> None:
    """After the records are put in they are read there, and what else the XML says is the same."""
    domain = parse_domain(xml)
    made = changed(xml, put_element(xml, domain, some_records()))
    again = parse_domain(made)
    assert records_in(again) == some_records()
    (ours,) = element_in(again)
    rest = made[: ours.start] + made[ours.end :]
    kept = rest.replace(b"<metadata></metadata>\n  ", b"").replace(b"<metadata></metadata>", b"")
    gone = xml
    for old in reversed(element_in(domain)):
        gone = gone[: old.start] + gone[old.end :]
    assert kept == gone.replace(b"<metadata a='>'/>", b"").replace(b"<metadata></metadata>", b"")


def test_devices_of_a_guest() -> None:
    """Mediated and PCI devices are seen in order, by the address on the host; s390 channels are not."""
    channel = mdev().replace(b"vfio-pci", b"vfio-ccw")
    found = host_devices(
        parse_domain(a_domain(devices=[function(), channel, mdev(MDEV.upper()), function(1)]))
    )
    assert [device.id for device in found] == ["pci:0000:3b:00.4", f"mdev:{MDEV}", "pci:0000:3b:01.4"]
    for device in found:
        address = b"<domain><devices><hostdev type='%s'><source>%s</source></hostdev></devices></domain>"
        kind = device.id.partition(":")[0].encode()
        (same,) = host_devices(parse_domain(address % (kind, address_of(device.id))))
        assert same.id == device.id
