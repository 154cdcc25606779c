# What the scripts of the packages do. It is put in front of each of them; sh, because that is what dpkg and rpm give.
image=/var/lib/hyper
# Beside a kernel that a package or ./install made: an image that somebody else made is left alone.
mark=$image/kernel.inputs

say() { echo "runv: $*" >&2; }

# The image, from the kernel that the host runs or the distribution's. Whatever fails, the package is installed.
make_image() {
  if [ -e $image/kernel ] && [ ! -e $mark ]; then
    say "the image in $image is not one of this package, and is left alone"
  elif ! runv image info --output $image 2>/dev/null | grep -q "^init  *this runv's"; then
    if runv image build --host --output $image 2>/dev/null || runv image build --output $image; then
      echo package >$mark
    else
      say "there is no kernel for virtual machines yet. Make it: runv image build (or --host, or --kernel FILE)"
      # One of an older runv would not do.
      if [ -e $mark ]; then remove_image; fi
    fi
  fi
}

remove_image() {
  if [ -e $mark ]; then rm -rf $image/kernel $image/kernel.inputs $image/vmlinuz $image/hyper-initrd.img $image/modules; fi
  if [ -d $image ]; then rmdir --ignore-fail-on-non-empty $image; fi
}

with_systemd() { [ -d /run/systemd/system ] && command -v systemctl >/dev/null; }

units="runv-containerd.service runv-pool.service"

# Machines that wait for a container, and those that others are forked from, end; containers go on.
stop_waiting() {
  runv pool stop >/dev/null 2>&1 || true
  runv template stop --all >/dev/null 2>&1 || true
}

# Templates, and the processes that have their directories there, named by their ids, until they have ended.
remove_templates() {
  runv template rm --all >/dev/null 2>&1 || true
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
  stop_waiting
  remove_templates
}

# Before those of a newer version come: it clones from none of this one's templates.
before_upgrade() {
  stop_waiting
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

# What was made by running it.
remove_all() {
  remove_image
  rm -rf /var/lib/runv /var/cache/runv /run/runv-pool
  for unit in $units; do rm -f /etc/systemd/system/*.wants/"$unit"; done
  for directory in /run/runv/.sandboxes /run/runv /etc/runv; do
    if [ -d $directory ]; then rmdir --ignore-fail-on-non-empty $directory; fi
  done
}
