# What the scripts of the packages do, and ./install and ./uninstall with them. It is put in front of each script of a package; sh, because
# that is what dpkg and rpm give. ./install and ./uninstall say where runv is.
runv=${runv:-runv}
image=/var/lib/hyper
# Beside a kernel that a package or ./install made: an image that somebody else made is left alone.
mark=$image/kernel.inputs

note() { echo "runv: $*" >&2; }

# The image, from the kernel that the host runs or the distribution's. Whatever fails, the package is installed.
make_image() {
  if [ -e $image/kernel ] && [ ! -e $mark ]; then
    note "the image in $image is not one of this package, and is left alone"
  elif ! "$runv" image info --output $image 2>/dev/null | grep -q "^init  *this runv's"; then
    if "$runv" image build --host --output $image 2>/dev/null || "$runv" image build --output $image; then
      echo package >$mark
    else
      note "there is no kernel for virtual machines yet. Make it: runv image build (or --host, or --kernel FILE)"
      # One of an older runv would not do.
      if [ -e $mark ]; then remove_image; fi
    fi
  fi
}

remove_image() {
  if [ -e $mark ]; then rm -rf $image/kernel $image/kernel.inputs $image/vmlinuz $image/hyper-initrd.img $image/modules $image/arm64; fi
  if [ -d $image ]; then rmdir --ignore-fail-on-non-empty $image; fi
}

with_systemd() { [ -d /run/systemd/system ] && command -v systemctl >/dev/null; }

units="runv-containerd.service runv-pool.service"

# Machines that wait for a container, and those that others are forked from, end with their templates; containers go on.
# A process of a template has its directory there, named by its id, until it has ended: half a minute if it is just starting.
remove_templates() {
  "$runv" pool stop >/dev/null 2>&1 || true
  "$runv" template stop --all >/dev/null 2>&1 || true
  "$runv" template rm --all >/dev/null 2>&1 || true
  for process in /var/lib/runv/templates/.process-*; do
    tries=0
    while [ -e "$process" ] && [ -e "/proc/${process##*-}" ] && [ $tries -lt 300 ]; do
      sleep 0.1
      tries=$((tries + 1))
    done
  done
  rm -rf /var/lib/runv
}

# Before the files are taken away.
before_removal() {
  if with_systemd; then
    # shellcheck disable=SC2086
    systemctl disable --now $units >/dev/null 2>&1 || true
  fi
  remove_templates
}

after_installation() {
  if with_systemd; then
    systemctl daemon-reload || true
    # shellcheck disable=SC2086
    systemctl try-restart $units || true
  fi
  make_image
}

after_removal() {
  if with_systemd; then systemctl daemon-reload || true; fi
}

# What was made by running it, besides templates. Where there are containers, what finds them stays.
remove_made() {
  remove_image
  rm -rf /var/cache/runv /run/runv-pool
  for directory in /run/runv/.sandboxes /run/runv /run/runv-libvirt /etc/runv; do
    if [ -d $directory ]; then rmdir --ignore-fail-on-non-empty $directory; fi
  done
  if [ ! -e /run/runv ]; then rm -rf /run/runv-containerd; fi
}

# What is left when the package's own files are gone.
remove_all() {
  remove_made
  rm -rf /var/lib/runv
  for unit in $units; do rm -f /etc/systemd/system/*.wants/"$unit"; done
}
