#!/usr/bin/env bash
# Writes the lockfile of scripts/npm/NAME anew from its package.json: lock.sh NAME [NPM-OPTION…].
# Run it after you have changed a version there. With --force, npm also locks packages for musl
# where libc is glibc.
set -euo pipefail
# shellcheck source=../lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

[[ $# -ge 1 && -e $ROOT/scripts/npm/$1/package.json ]] ||
  die "the name of a directory in scripts/npm with a package.json" "${1:-nothing}" "name one" 2
cd "$ROOT/scripts/npm/$1"

# The lockfile must not name the registry that this machine uses.
rm -f package-lock.json
npm install --package-lock-only --omit-lockfile-registry-resolved --ignore-scripts --no-audit --no-fund \
  --loglevel=error "${@:2}" </dev/null >&2

# A registry may lack the binaries for other platforms. npm then leaves them out of the lockfile,
# and afterwards calls that lockfile incomplete. So they are added, as packages that this platform
# does not install.
python3 - <<'END_PYTHON'
import json

with open("package-lock.json") as file:
    lock = json.load(file)
packages = lock["packages"]


def elsewhere(name):
    if "linux" not in name:
        return {"os": ["!linux"]}
    if "musl" in name:
        return {"libc": ["musl"]}
    if "x64" not in name:
        return {"cpu": ["!x64"]}
    raise SystemExit(f"lock.sh: needed: {name}, for this platform\n  found: the registry does not have it\n"
                     "  do: choose another version, or a registry that has it")


for path, package in list(packages.items()):
    package.pop("funding", None)
    for name, version in package.get("optionalDependencies", {}).items():
        if f"node_modules/{name}" not in packages and f"{path}/node_modules/{name}" not in packages:
            packages[f"node_modules/{name}"] = {"version": version, "optional": True, **elsewhere(name)}

lock["packages"] = {path: packages[path] for path in sorted(packages)}
with open("package-lock.json", "w") as file:
    json.dump(lock, file, indent=2, ensure_ascii=False)
    file.write("\n")
END_PYTHON
