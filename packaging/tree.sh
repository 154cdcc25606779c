# The files of a package, and what of them ./install has, too. Sourced after scripts/lib.sh.

# make_documents DIRECTORY: manuals and completions, from the table of commands.
make_documents() {
  bun packaging/generate.ts "$1"
  gzip -9n "$1"/man/*
}

# install_documents FROM PREFIX [ZSH]: puts them where man and the shells look below a prefix.
install_documents() {
  local from=$1 prefix=$2 zsh=${3:-site-functions} name
  install -d "$prefix"/share/man/man8 "$prefix"/share/{bash-completion/completions,"zsh/$zsh",fish/vendor_completions.d}
  install -m 644 "$from"/man/*.gz "$prefix/share/man/man8/"
  install -m 644 "$from/bash/runv" "$prefix/share/bash-completion/completions/"
  for name in runv-containerd runv-ctr; do ln -sf runv "$prefix/share/bash-completion/completions/$name"; done
  install -m 644 "$from/zsh/_runv" "$prefix/share/zsh/$zsh/"
  install -m 644 "$from"/fish/*.fish "$prefix/share/fish/vendor_completions.d/"
}

# remove_documents PREFIX: undoes install_documents.
remove_documents() {
  rm -f "$1"/share/man/man8/runv{,-*}.8.gz "$1"/share/bash-completion/completions/runv{,-containerd,-ctr} \
    "$1/share/zsh/site-functions/_runv" "$1"/share/fish/vendor_completions.d/runv{,-containerd,-ctr}.fish
  rmdir --ignore-fail-on-non-empty "$1"/share/{man/man8,bash-completion/completions,bash-completion,zsh/site-functions,zsh} \
    "$1"/share/{fish/vendor_completions.d,fish} 2>/dev/null || true
}

# make_tree TREE KIND: all that a package of this kind holds, at its place; `executable` names another one than dist/runv.
make_tree() {
  local tree=$1 zsh=site-functions documents name
  documents=$(mktemp -d)
  umask 022
  [ "$2" != deb ] || zsh=vendor-completions
  install -D -m 755 "${executable:-dist/runv}" "$tree/usr/bin/runv"
  for name in runv-containerd runv-ctr containerd-shim-runv-v2; do ln -s runv "$tree/usr/bin/$name"; done
  install -D -m 644 scripts/config.toml "$tree/etc/runv/config.toml"
  install -d "$tree/usr/lib/systemd/system"
  install -m 644 packaging/systemd/*.service "$tree/usr/lib/systemd/system/"
  make_documents "$documents"
  install_documents "$documents" "$tree/usr" $zsh
  rm -rf "$documents"
  install -D -m 644 LICENSE "$tree/usr/share/doc/runv/copyright"
  gzip -9nc CHANGELOG.md >"$tree/usr/share/doc/runv/changelog.gz"
}

# same_times TREE: files and directories are as old as SOURCE_DATE_EPOCH says.
same_times() { find "$1" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +; }
