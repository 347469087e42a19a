#!/bin/bash
# Process 1 of a host of the laboratory, in namespaces of its own: makes the host's files private, starts its services,
# and lives as long as its standard input. Whatever ends the laboratory closes that, and the host goes with all its
# processes, mounts and files.
#
#     host_init.sh DIR NAME ADDRESS
#
# DIR/etc, run, shm, lib, log and cache become the host's; the programs in DIR/services run, and again when they end.
set -eu
dir=$1 name=$2 address=$3

# /proc still is the outer one: it tells this process's number there, for who puts the line between the hosts in.
read -r outer _ </proc/self/stat
mount -t proc proc /proc
hostname "$name"
mkdir -p /var/{lib,log,cache}/libvirt
for pair in lib:/var/lib/libvirt log:/var/log/libvirt cache:/var/cache/libvirt shm:/dev/shm run:/run etc:/etc; do
    mount --bind "$dir/${pair%%:*}" "${pair#*:}"
done
# Only now may others come in: they would find the files of the machine itself before.
echo "$outer" >"$dir/pid.new"
mv "$dir/pid.new" "$dir/pid"

read -r _ # the line is in
ip link set lo up
ip address add "$address/24" dev eth0
ip link set eth0 up
mount -t sysfs sysfs /sys || true # so that it shows the host's own network, where that is allowed

serve() {
    while :; do
        "$1" >>"$dir/log/${1##*/}.out" 2>&1 </dev/null || true
        sleep 0.1
    done
}
for service in "$dir"/services/*; do
    serve "$service" &
done

# It must be bash that waits here: it reaps the guests' processes when they end, for whose end libvirtd waits.
while read -r _; do :; done
kill -KILL -1
umount --lazy /run/sys 2>/dev/null || true
rm -rf "$dir"
rmdir "${dir%/*}" 2>/dev/null || true
