# shellcheck shell=bash
# Every script sources this file. It is for messages, missing packages, paths, the release build,
# and an apt of our own.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
BUILD=$ROOT/build
# shellcheck disable=SC2034 # for those who source this
DEPS=$BUILD/deps
PROGRAM_NAME=${0##*/}

# All messages of the scripts go to stderr. stdout is for the requested output.
say() { printf '%s\n' "$*" >&2; }

# die NEEDED FOUND DO [STATUS]
die() {
  printf '%s: needed: %s\n  found: %s\n  do: %s\n' "$PROGRAM_NAME" "$1" "$2" "$3" >&2
  exit "${4:-1}"
}

have() { command -v "$1" >/dev/null 2>&1; }

can_be_root() { ((EUID == 0)) || have sudo; }

root_run() {
  if ((EUID == 0)); then
    "$@"
  elif have sudo; then
    sudo "$@"
  else
    die "root, for: $*" "user $(id -un), and no sudo" "run by hand as root: $*"
  fi
}

# As root, apt would change to its own user. That user cannot write to our directories, and apt
# would warn about it.
apt() { env DEBIAN_FRONTEND=noninteractive apt-get -q -o APT::Sandbox::User=root "$@" </dev/null; }

# Updates the package lists once in a run. Older lists may name versions that no longer exist, or
# may be empty, as in a container.
apt_update() {
  [[ -z ${TG_APT_UPDATED:-} ]] || return 0
  export TG_APT_UPDATED=1
  root_run apt-get -q update </dev/null >&2 || say "apt-get update failed; going on with the package lists there are"
}

# apt_need CMD_OR_FILE:PACKAGE…: installs the packages whose command or file is missing.
apt_need() {
  local pair missing=()
  for pair in "$@"; do
    have "${pair%:*}" || [[ -e ${pair%:*} ]] || is_installed "${pair##*:}" || missing+=("${pair##*:}")
  done
  ((${#missing[@]})) || return 0
  local by_hand="apt-get update && apt-get install -y --no-install-recommends ${missing[*]}"
  have apt-get || die "what Debian packages as: ${missing[*]}" "none of it, and no apt-get" \
    "install the same from this system's own packages"
  can_be_root || die "the packages ${missing[*]}" "none of them, and user $(id -un) is not root and has no sudo" \
    "run by hand as root: $by_hand"
  say "installing ${missing[*]}"
  apt_update
  root_run env DEBIAN_FRONTEND=noninteractive apt-get -q -o Dpkg::Use-Pty=0 install -y --no-install-recommends \
    "${missing[@]}" </dev/null >&2 || die "the packages ${missing[*]}" "apt-get could not install them, see above" \
    "run by hand as root: $by_hand"
}

is_installed() { [[ $(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null) == installed ]]; }

# quietly WHAT COMMAND…: shows the command's output only if it fails.
quietly() {
  local what=$1 output
  shift
  output=$("$@" 2>&1 </dev/null) || die "$what" "$* failed:"$'\n'"$output" "see the output above"
}

# cached NAME: prints the value with which build/release is configured.
cached() { sed -n "s/^$1:[A-Z]*=//p" "$BUILD/release/CMakeCache.txt" 2>/dev/null || true; }

# configure CMAKE-ARGUMENT…: configures build/release, with make if there is no ninja.
configure() {
  local options=()
  # If the tree was copied or moved with its build directory, cmake would build the old tree.
  [[ $(cached CMAKE_HOME_DIRECTORY) == "$ROOT" ]] || rm -rf "$BUILD/release"
  [[ -e $BUILD/release ]] || have ninja || options=(-G 'Unix Makefiles')
  # CMake would remember that there was no C++ compiler, even after one was installed.
  [[ $(cached CMAKE_CXX_COMPILER) != NOTFOUND ]] || options+=(-U CMAKE_CXX_COMPILER)
  cd "$ROOT" && cmake --preset release "${options[@]}" "$@"
}

# --- apt with its own sources, lists and architecture. It never touches /etc/apt and needs no root.

# The keys of Debian's archive. Debian has them installed; on Ubuntu they are in a package.
# shellcheck disable=SC2034 # for those who source this
DEBIAN_KEYS=/usr/share/keyrings/debian-archive-keyring.gpg

# debian_mirror: prints the mirror of Debian's main packages that this machine's apt uses. Prints
# nothing if apt uses only those of other distributions.
debian_mirror() {
  have apt-get || return 0
  apt-get indextargets --format '$(REPO_URI) $(COMPONENT) $(ORIGIN) $(LABEL)' 'Created-By: Packages' 2>/dev/null |
    sed -n 's#^\([^ ]*\) main Debian Debian$#\1#p' | head -n 1
}

# private_apt_open HOME LINE [ARCHITECTURE]: downloads into HOME the package lists that LINE, a line
# of sources.list, names.
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

# private_apt HOME ARGS…: runs apt-get with the configuration in HOME. Its downloads go into HOME.
private_apt() {
  local home=$1
  shift
  (cd "$home" && APT_CONFIG=$home/apt.conf apt-get -q -o APT::Sandbox::User=root "$@" </dev/null >&2)
}
