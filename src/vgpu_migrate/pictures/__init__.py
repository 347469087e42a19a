"""A plan as one page to look at: pure, from a fleet and a plan to the bytes of an HTML file."""

from vgpu_migrate.pictures.columns import Remark
from vgpu_migrate.pictures.page import page
from vgpu_migrate.pictures.report import report_of

__all__ = ["Remark", "page", "report_of"]
