"""Whether a host has what live migration needs: checks over a picture of it, and the edge that takes it.

picture   what was seen, as frozen values
tree      files below a root directory: the machine's own, or a captured tree
take      takes the picture: files, NVML, two programs
findings  what a check finds: a state, the value seen, where, and its remedy
platform_checks, gpu_checks, own_checks    the checks, pure functions from a picture to findings
examine   all of them in order, or the sentence that there is nothing to examine
"""
