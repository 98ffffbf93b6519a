#!/bin/sh
# The first process of a node's own process, mount and network namespaces; `unshare` starts it with the cluster's folder
# as its argument. When it dies the kernel ends every process, mount and network device of the node, however the harness
# itself ended. Here it makes sure that kubelet and containerd change nothing outside these namespaces.
set -eu
folder=$1

# /proc still is the machine's own: this is the id by which the harness and the reaper know this process.
read -r pid _ </proc/self/stat
echo "$pid" >"$folder/run/node-machine.pid.new"
mv "$folder/run/node-machine.pid.new" "$folder/run/node-machine.pid"
if [ -e "$folder/run/reaping" ]; then exit 1; fi

mount -t proc proc /proc
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /var/log
# The kubelet insists on /var/lib/kubelet for its plugins; what it writes there goes to memory.
mkdir /run/layers /run/layers/upper /run/layers/work
mount -t overlay overlay -o lowerdir=/var/lib,upperdir=/run/layers/upper,workdir=/run/layers/work /var/lib
# The kubelet sets these for the whole machine; here it finds files that already say what it wants.
for tunable in vm/overcommit_memory=1 vm/panic_on_oom=0 kernel/panic=10 kernel/panic_on_oops=1 \
	kernel/keys/root_maxkeys=1000000 kernel/keys/root_maxbytes=25000000; do
	file=/run/tunables/${tunable%=*}
	mkdir -p "${file%/*}"
	echo "${tunable#*=}" >"$file"
	mount --bind "$file" "/proc/sys/${tunable%=*}"
done

# The kubelet puts all pods below one cgroup of the cluster's own, which must be there. With version 1 each controller has
# a hierarchy, and some have a second name, which is a link.
hierarchies=/sys/fs/cgroup
if [ ! -e /sys/fs/cgroup/cgroup.procs ]; then hierarchies=$(find /sys/fs/cgroup -mindepth 1 -maxdepth 1 -type d); fi
for hierarchy in $hierarchies; do mkdir "$hierarchy/${folder##*/}"; done

ip link set lo up
touch "$folder/node/machine-is-ready"
# `wait` also collects the orphans that the first process of a namespace inherits.
while :; do
	sleep 86400 &
	wait $!
done
