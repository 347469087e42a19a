"""The systemd units that come with this program, and their place on a host.

Whatever lies here as `*.service` is shipped. A unit names the program as `/usr/bin/vgpu-migrate`; `install`
writes the interpreter there in whose environment this package is.
"""
