"""The JSON Schemas of the two files and of every answer in JSON, by name."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from vgpu_migrate.cli import (
    answers,
    doctor_types,
    foresight_answers,
    host_types,
    import_answers,
    pin_types,
    truth_types,
    vm_move_types,
    vm_types,
)
from vgpu_migrate.cli.screen import Column, Screen
from vgpu_migrate.compat.case_file import cases_schema
from vgpu_migrate.errors import UnknownNameError
from vgpu_migrate.model.fleetfile import fleet_schema
from vgpu_migrate.model.planfile import plan_schema

DRAFT = "https://json-schema.org/draft/2020-12/schema"


class Named(NamedTuple):
    """What has the schema, in words, and how to make it."""

    says: str
    make: Callable[[], dict[str, Any]]


def _of(answer: type[msgspec.Struct], command: str, also: str = "") -> Named:
    def make() -> dict[str, Any]:
        return {"$schema": DRAFT, "title": f"vgpu-migrate {command}", **msgspec.json.schema(answer)}

    return Named(f"the answer of `{command}`{f', and of {also}' if also else ''}", make)


SCHEMAS = {
    "fleet": Named("a fleet file, in YAML or JSON", fleet_schema),
    "plan": Named("a plan file, and the answer of `drain --json` and `upgrade --json`", plan_schema),
    "cases": Named("a file of cases, and what `truth export` writes", cases_schema),
    "check": _of(answers.CheckAnswer, "check --json"),
    "matrix": _of(answers.MatrixAnswer, "matrix --json"),
    "matrix-judge": _of(truth_types.JudgedMatrixAnswer, "matrix --judge --json"),
    "check-what-if": _of(foresight_answers.WhatIfCheckAnswer, "check --with --json", "`check --without`"),
    "matrix-what-if": _of(foresight_answers.WhatIfMatrixAnswer, "matrix --with --json", "`matrix --without`"),
    "pin": _of(foresight_answers.PinFleetAnswer, "pin --json"),
    "place": _of(foresight_answers.PlaceAnswer, "place --json"),
    "resilience": _of(foresight_answers.ResilienceAnswer, "resilience --json"),
    "truth-verify": _of(truth_types.VerifyAnswer, "truth verify --json"),
    "replay": _of(answers.ReplayAnswer, "replay --json"),
    "import": _of(import_answers.ImportAnswer, "import --json"),
    "rules": _of(answers.RulesAnswer, "rules --json"),
    "catalog-boards": _of(answers.BoardsAnswer, "catalog boards --json"),
    "catalog-board": _of(answers.BoardAnswer, "catalog board --json"),
    "catalog-types": _of(answers.TypesAnswer, "catalog types --json"),
    "catalog-type": _of(answers.TypeRow, "catalog type --json"),
    "catalog-drivers": _of(answers.DriversAnswer, "catalog drivers --json"),
    "catalog-driver": _of(answers.DriverAnswer, "catalog driver --json"),
    "catalog-releases": _of(answers.ReleasesAnswer, "catalog releases --json"),
    "catalog-branches": _of(answers.BranchesAnswer, "catalog branches --json"),
    "catalog-sources": _of(answers.SourcesAnswer, "catalog sources --json"),
    "catalog-search": _of(answers.SearchAnswer, "catalog search --json"),
    "host-show": _of(host_types.HostAnswer, "host show --json"),
    "driver-show": _of(host_types.DriverAnswer, "host --driver show --json"),
    "host-gpus": _of(host_types.GpusAnswer, "host gpus --json"),
    "host-vgpus": _of(host_types.VgpusAnswer, "host vgpus --json"),
    "host-metadata": _of(host_types.MetadataAnswer, "host metadata --json"),
    "host-version": _of(host_types.VersionAnswer, "host version --json", "what is done to a host"),
    "host-compat": _of(host_types.CompatAnswer, "host compat --json"),
    "host-vm": _of(host_types.VmRow, "host pause --json", "what else is done to a VM"),
    "host-start": _of(host_types.StartAnswer, "host start --json"),
    "host-load-guest-driver": _of(host_types.Loading, "host load-guest-driver --json"),
    "host-migrate": _of(host_types.MigrateAnswer, "host migrate --json"),
    "host-done": _of(
        host_types.DoneAnswer, "host abort --json", "`host undefine --json`, `host remove-device --json`"
    ),
    "host-create-device": _of(host_types.DeviceRow, "host create-device --json"),
    "host-inject": _of(host_types.FaultRow, "host inject --json"),
    "host-clear": _of(host_types.ClearAnswer, "host clear --json"),
    "host-doctor": _of(doctor_types.DoctorAnswer, "host doctor --json"),
    "host-pin": _of(pin_types.PinAnswer, "host pin --json"),
    "host-units": _of(
        pin_types.UnitFilesAnswer, "host units install --json", "`host units uninstall --json`"
    ),
    "vm-metadata": _of(vm_types.MetadataAnswer, "vm metadata --json"),
    "vm-check": _of(vm_move_types.MoveCheckAnswer, "vm check --json"),
    "vm-migrate": _of(vm_move_types.MoveAnswer, "vm migrate --json"),
    "vm-watch": _of(vm_types.WatchRow, "vm watch --json"),
    "vm-hook-files": _of(vm_types.HookFilesAnswer, "vm hook install --json", "`vm hook uninstall --json`"),
    "vm-hook-test": _of(vm_types.HookTestAnswer, "vm hook test --json"),
    "host-refused": _of(host_types.RefusedAnswer, "host start --json", "whatever a host refuses"),
}


def names() -> list[str]:
    """The names of all schemas."""
    return list(SCHEMAS)


def schema(name: str) -> dict[str, Any]:
    """The schema of that name.

    Raises:
        UnknownNameError: there is none.
    """
    found = SCHEMAS.get(name)
    if found is None:
        raise UnknownNameError("schema", name, SCHEMAS)
    return found.make()


def show(name: str) -> None:
    """Print one schema, indented: people and editors read it."""
    print(json.dumps(schema(name), indent=2, ensure_ascii=True))


def show_names() -> None:
    """Print what there is a schema of."""
    columns = (Column("schema"), Column("of", wraps=True))
    Screen().table(columns, ([name, named.says] for name, named in SCHEMAS.items()))
