"""Virtual machine managers: what a guest of libvirt carries with it, and the hook that libvirt asks.

What the hook imports is the standard library, `errors` and `nvml` alone: it is started for a moment.
"""
