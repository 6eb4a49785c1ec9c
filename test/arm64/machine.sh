#!/usr/bin/env bash
# Boots an emulated arm64 machine (qemu-system-aarch64) that runs test/arm64/cases.sh, and prints
# the output of the cases.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../../scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../scripts/lib.sh"

usage() {
  cat <<'END'
usage: test/arm64/machine.sh prepare                    fetches what is needed and builds build/arm64; status 3 where
                                                     that cannot be had
       test/arm64/machine.sh boot 4k|16k RUNTIME [CASES] the size of a page; RUNTIME: node-20 or node-26; CASES: a
                                                     script for busybox's sh instead of test/arm64/cases.sh;
                                                     with TG_FULL=1 that runs the slow unit tests, too

The machine has four processors, 2 GiB of memory, Debian 13's arm64 kernel, which gives programs addresses of 48 bits,
and nothing but an initramfs: Debian's busybox, the C library of the cross compiler, node, the guard, the test addons
and programs, and the unit tests. Needs Debian's qemu-system-arm (installed) and what test/arm64/arm64.sh needs.
END
}

HERE=$DEPS/arm64
BUILT=$BUILD/arm64
LIBRARIES=/usr/aarch64-linux-gnu/lib

skip() {
  say "skipped the arm64 machine: $1"
  exit 3
}

# kernel HOME PACKAGE: prints the kernel image that Debian's PACKAGE installs in /boot. PACKAGE
# itself only depends on the package of the newest kernel, which contains the image.
kernel() {
  local home=$1 newest
  newest=$(APT_CONFIG=$home/apt.conf apt-cache depends "$2" | sed -n 's/^ *Depends: \(linux-image-[0-9].*\)/\1/p')
  private_apt "$home" download "$newest" || return
  dpkg-deb --fsys-tarfile "$home/${newest}"_*.deb | tar -x -O --wildcards './boot/vmlinuz-*'
}

# The kernels and busybox come from Debian 13, because it has kernels for both page sizes.
fetch() {
  local home mirror
  [[ ! -s $HERE/linux-4k || ! -s $HERE/linux-16k || ! -x $HERE/busybox ]] || return 0
  mirror=$(debian_mirror)
  [[ -n $mirror ]] || return
  say "fetching Debian 13's arm64 kernels with pages of 4 and of 16 KiB, and busybox"
  home=$(mktemp -d)
  # shellcheck disable=SC2064
  trap "rm -rf '$home'" EXIT
  private_apt_open "$home" "deb [signed-by=$DEBIAN_KEYS] $mirror trixie main" arm64 &&
    private_apt "$home" download busybox-static &&
    dpkg-deb -x "$home"/busybox-static_*.deb "$home/busybox" &&
    kernel "$home" linux-image-arm64 >"$home/linux-4k" && kernel "$home" linux-image-arm64-16k >"$home/linux-16k" &&
    cp "$home/busybox/usr/bin/busybox" "$home"/linux-*k "$HERE/"
}

prepare() {
  "$ROOT/test/arm64/arm64.sh" prepare || exit
  (apt_need qemu-system-aarch64:qemu-system-arm cpio:cpio) || skip "qemu-system-arm cannot be had, see above"
  (fetch) || skip "Debian 13's kernels for arm64 cannot be had, see above"
}

# fill DIRECTORY RUNTIME CASES: puts the contents of the machine's initramfs into DIRECTORY.
fill() {
  local to=$1 name
  mkdir -p "$to"/{bin,dev,lib,proc,sys,tmp,build/test,build/helpers}
  cp "$HERE/busybox" "$to/bin/"
  for name in cat cut env grep head kill mount poweroff sed sh sleep timeout; do ln -s busybox "$to/bin/$name"; done
  for name in ld-linux-aarch64.so.1 lib{atomic.so.1,c.so.6,dl.so.2,gcc_s.so.1,m.so.6,pthread.so.0,rt.so.1,stdc++.so.6}; do
    cp -L "$LIBRARIES/$name" "$to/lib/"
  done
  if [[ -e $HERE/root/usr/include/cmocka.h ]]; then
    cp -L "$HERE"/root/usr/lib/aarch64-linux-gnu/libcmocka.so.0 "$to/lib/"
    cp "$BUILT"/test/test_* "$to/build/test/"
  fi
  cp "$BUILT"/helpers/lib*.so "$BUILT"/helpers/{fake,linked}-* "$to/build/helpers/"
  cp -r "$BUILT/addons" "$BUILT"/{libtsfnguard.so,tsfn-guard,doctor_probe.node} "$to/build/"
  cp -r "$ROOT/test/programs" "$to/"
  cp "$HERE/$2/bin/node" "$to/bin/"
  cp "$3" "$to/cases.sh"
  [[ -z ${TG_FULL:-} ]] || touch "$to/full"
  cat >"$to/init" <<'END'
#!/bin/sh
export PATH=/bin
mount -t proc proc /proc && mount -t sysfs sys /sys && mount -t devtmpfs dev /dev && mount -t tmpfs tmp /tmp
sh /cases.sh
poweroff -f
END
  chmod +x "$to/init"
}

# boot PAGES RUNTIME CASES: boots the machine and prints its console. The console ends its lines
# with CR LF, and the CR is removed.
boot() {
  local work status=0 needed
  for needed in "$HERE/linux-$1" "$HERE/$2/bin/node" "$BUILT/libtsfnguard.so"; do
    [[ -e $needed ]] || die "$needed" "nothing there" "run test/arm64/machine.sh prepare"
  done
  [[ -r $3 ]] || die "a readable script of cases" "$3" "name one" 2
  work=$(mktemp -d)
  # shellcheck disable=SC2064
  trap "rm -rf '$work'" EXIT
  fill "$work/root" "$2" "$3"
  (cd "$work/root" && find . | cpio --quiet -o -H newc --owner=0:0) >"$work/initrd"
  rm -r "$work/root"
  timeout -k 10 "${TG_BOOT_SECONDS:-1800}" qemu-system-aarch64 -M virt -cpu max,pauth-impdef=on -smp 4 -m 2048 -nographic \
    -no-reboot -net none -kernel "$HERE/linux-$1" -initrd "$work/initrd" -append 'console=ttyAMA0 quiet panic=-1' \
    </dev/null | tr -d '\r' || status=$?
  ((status == 0)) || die "a machine that ends by itself" "status $status" "see above; TG_BOOT_SECONDS=N gives it more time"
}

case ${1:-} in
  prepare) prepare ;;
  boot)
    if (($# < 3 || $# > 4)) || [[ $2 != 4k && $2 != 16k ]]; then usage >&2 && exit 2; fi
    boot "$2" "$3" "${4:-$ROOT/test/arm64/cases.sh}"
    ;;
  -h | --help) usage ;;
  *) die "what test/arm64/machine.sh --help lists" "${1:-nothing}" "correct it" 2 ;;
esac
