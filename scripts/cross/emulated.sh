#!/bin/sh
# Runs a command where programs of arm64 are run by qemu, and nobody else on this machine sees it (Linux 6.7):
#   unshare --user --map-root-user --mount sh scripts/cross/emulated.sh COMMAND…
# P: the program gets its argv[0]; F: qemu is opened now, whatever root a program is started in.
set -e
mount -t binfmt_misc none /proc/sys/fs/binfmt_misc
magic='\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00'
mask='\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff'
qemu=$(command -v qemu-aarch64-static)
printf '%s' ":aarch64:M::$magic:$mask:$qemu:PF" > /proc/sys/fs/binfmt_misc/register
exec "$@"
