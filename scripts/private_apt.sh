# shellcheck shell=bash
# Sourced after lib.sh: apt with sources, lists and an architecture of its own, which never touches /etc/apt and needs
# no root.

# The archive keys of Debian, there on Debian and a package on Ubuntu.
# shellcheck disable=SC2034 # for those who source this
DEBIAN_KEYS=/usr/share/keyrings/debian-archive-keyring.gpg

# debian_mirror: the archive of Debian's main packages that this machine's apt is set up with; nothing where it is
# another distribution's.
debian_mirror() {
  have apt-get || return 0
  apt-get indextargets --format '$(REPO_URI) $(COMPONENT) $(ORIGIN) $(LABEL)' 'Created-By: Packages' 2>/dev/null |
    sed -n 's#^\([^ ]*\) main Debian Debian$#\1#p' | head -n 1
}

# private_apt_open HOME LINE [ARCHITECTURE]: reads the package lists that LINE names, as in sources.list, into HOME.
private_apt_open() {
  local home=$1 line=$2 architecture=${3:-$(dpkg --print-architecture)}
  mkdir -p "$home"/{parts,lists/partial,cache/archives/partial}
  printf '%s\n' "$line" >"$home/parts/own.list"
  : >"$home/status"
  printf '%s;\n' 'Dir::Etc::SourceList "/dev/null"' "Dir::Etc::SourceParts \"$home/parts\"" \
    "Dir::State::Lists \"$home/lists\"" "Dir::State::status \"$home/status\"" "Dir::Cache \"$home/cache\"" \
    "APT::Architecture \"$architecture\"" "APT::Architectures \"$architecture\"" 'Acquire::Languages "none"' \
    >"$home/apt.conf"
  private_apt "$home" update
}

# private_apt HOME ARGS…: apt-get there; what it downloads comes into HOME.
private_apt() {
  local home=$1
  shift
  (cd "$home" && APT_CONFIG=$home/apt.conf apt-get -q -o APT::Sandbox::User=root "$@" </dev/null >&2)
}
