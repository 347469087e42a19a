"""Room made where there is none: residents move out of the way, in an order that is safe at every step."""

from vgpu_migrate.planning.defrag.rearrange import Rearranged, Work, rearrange
from vgpu_migrate.planning.defrag.residents import adopt
from vgpu_migrate.planning.defrag.sequence import Shift

__all__ = ["Rearranged", "Shift", "Work", "adopt", "rearrange"]
