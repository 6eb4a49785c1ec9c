#!/usr/bin/env bash
# Finds out whether the guard works in an Electron, and writes a report that can be sent to us, see
# usage below.
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
  cat <<'END'
usage: scripts/try-electron.sh [-o REPORT] [ELECTRON]

  ELECTRON    the binary or its start script; by default node_modules/.bin/electron here, or electron
              in PATH
  -o REPORT   where to write the report; by default electron-report.txt here

It needs a build of this repository with its test addons (scripts/test.sh --tier quick makes it). It
runs ELECTRON as Node and as an application with one invisible window, for some minutes:

  1. Does the guard arm, and if not, why?
  2. The case of nodejs/node#55706, five times without the guard and five times with it.
  3. A window with a thread-safe function that 8 threads call is reloaded ten times, without the guard
     and with it.

Status 0: the report is written, whatever it says. Please read it before you send it: it contains
paths of this machine and what ELECTRON printed.
END
}

LIBRARY=$BUILD/release/libtsfnguard.so
GUARD=$BUILD/release/tsfn-guard
ADDONS=$BUILD/release/addons
RUNS=5
RELOADS=10
report="electron-report.txt"

while getopts ho: option; do
  case $option in
    h) usage && exit 0 ;;
    o) report=$OPTARG ;;
    *) usage >&2 && exit 2 ;;
  esac
done
shift $((OPTIND - 1))
(($# <= 1)) || die "one Electron" "$*" "name one" 2

# find_electron [NAME]: prints the path of the program NAME, or of the first Electron that it finds.
find_electron() {
  local name wanted=("$@") found
  (($#)) || wanted=(node_modules/.bin/electron electron)
  for name in "${wanted[@]}"; do
    if found=$(command -v "$name") && [[ -x $found && ! -d $found ]]; then
      binary_of "$found"
      return
    fi
  done
  die "an Electron that can be run" "none: ${wanted[*]}" "name its binary: scripts/try-electron.sh PATH"
}

# binary_of PROGRAM: prints the path of the binary. npm's electron/cli.js starts the binary that
# path.txt beside it names. It is not used, because LD_PRELOAD would also be in effect in the node
# that runs it.
binary_of() {
  local directory
  directory=$(dirname "$(readlink -f "$1")")
  if [[ -e $directory/path.txt && -x $directory/dist/$(<"$directory/path.txt") ]]; then
    echo "$directory/dist/$(<"$directory/path.txt")"
  else
    readlink -f "$1"
  fi
}

# --- The application

write_application() {
  mkdir "$work/application"
  cat >"$work/application/package.json" <<'END'
{ "name": "tsfn-guard-try-electron", "version": "1.0.0", "main": "main.js" }
END
  cat >"$work/application/main.js" <<'END'
// Loads a window, reloads it, and prints how far this came. Written by scripts/try-electron.sh.
'use strict';
const path = require('path');
const { app, BrowserWindow } = require('electron');
const reloads = Number(process.env.TRY_RELOADS);
const end = (status, words) => {
  console.log(`window: ${words}`);
  app.exit(status);
};
app.disableHardwareAcceleration();
app.on('window-all-closed', () => {});
setTimeout(() => end(4, 'no answer for 60 seconds'), 60000);
app.whenReady().then(() => {
  const window = new BrowserWindow({
    show: false,
    webPreferences: { nodeIntegration: true, contextIsolation: false, sandbox: false },
  });
  let loads = 0;
  window.webContents.on('render-process-gone', (event, details) =>
    end(3, `its process is gone after ${loads} loads: ${details.reason}, exit code ${details.exitCode}`),
  );
  window.webContents.on('did-fail-load', (event, code, words) => end(5, `the page was not loaded: ${words}`));
  window.webContents.on('ipc-message', (event, channel, words) => {
    if (channel !== 'started') end(5, `the addon failed: ${words}`);
  });
  window.webContents.on('did-finish-load', () => {
    if (loads++ === reloads) setTimeout(() => end(0, `reloaded ${reloads} times`), 500);
    else setTimeout(() => window.webContents.reload(), 300);
  });
  window.loadFile(path.join(__dirname, 'index.html'));
});
END
  cat >"$work/application/index.html" <<'END'
<!doctype html>
<title>tsfn-guard</title>
<script src="page.js"></script>
END
  cat >"$work/application/page.js" <<'END'
// The page: 8 threads call a thread-safe function until they are rejected.
try {
  require(process.env.TRY_ADDON).start(8);
  require('electron').ipcRenderer.send('started');
} catch (error) {
  require('electron').ipcRenderer.send('failed', String(error));
}
END
}

# A packaged application runs only its own code. It lacks default_app.asar, which runs the
# application that the command line names. So this makes a copy of Electron, with our application in
# the place of its own. Electron finds that place by the path of its binary, so the binary in the
# copy must not be a symbolic link.
place_application() {
  local directory
  directory=$(dirname "$electron")
  [[ -d $directory/resources && ! -e $directory/resources/default_app.asar ]] || return 0
  cp -al "$directory" "$work/electron" 2>/dev/null || { rm -rf "$work/electron"; cp -a "$directory" "$work/electron"; }
  rm -rf "$work/electron/resources"/app{,.asar}
  cp -r "$work/application" "$work/electron/resources/app"
  electron=$work/electron/$(basename "$electron")
}

# An Electron without a display needs a virtual one.
display=()
find_display() {
  [[ -z ${DISPLAY:-}${WAYLAND_DISPLAY:-} ]] || return 0
  if have xvfb-run; then
    display=(xvfb-run -a)
  else
    say "no display and no xvfb-run here: trying Electron's headless display"
    switches+=(--ozone-platform=headless)
  fi
}

# --- Running it

# with LIBRARY|'' COMMAND…: runs COMMAND for at most two minutes. Prints its last lines, how it
# ended and what the guard has reported. Returns the status of COMMAND.
with() {
  local library=$1 status=0 log output
  shift
  # New files each time: a renderer of an earlier run may still write.
  log=$(mktemp -u "$work/log.XXXXXX")
  output=$(mktemp "$work/output.XXXXXX")
  LD_PRELOAD=$library TSFN_GUARD_OPTIONS=log_path=$log timeout -k 5 120 "$@" >"$output" 2>&1 </dev/null || status=$?
  tail -n 5 "$output" | cut -c 1-300 | sed 's/^/    /'
  case $status in
    0) echo "    ended well" ;;
    124 | 137) echo "    DID NOT END within two minutes" ;;
    129 | 13[0-9] | 14[0-9]) echo "    DIED by signal $((status - 128))" ;;
    *) echo "    ended with status $status" ;;
  esac
  [[ ! -s $log ]] || sed -n 's/^tsfn-guard\[[0-9]*\]: \(TSG[0-9]* [a-z-]*\).*/    the guard reported \1/p' "$log" | sort -u
  return "$status"
}

as_node() { with "$1" env ELECTRON_RUN_AS_NODE=1 TEST_ADDONS="$ADDONS" "$electron" "${@:2}"; }

as_application() {
  with "$1" env -u ELECTRON_RUN_AS_NODE TRY_RELOADS=$RELOADS TRY_ADDON="$ADDONS/issue55706.node" \
    "${display[@]}" "$electron" "${switches[@]}" "$work/application"
}

# count LIBRARY TIMES COMMAND…: runs COMMAND that many times, and prints how many runs ended well.
# What they printed goes to the report.
count() {
  local well=0 run
  for ((run = 0; run < $2; run++)); do
    "${@:3:1}" "$1" "${@:4}" >>"$report" || continue
    well=$((well + 1))
  done
  echo "$well of $2"
}

# both TITLE TIMES COMMAND…: runs COMMAND without the guard and with it.
both() {
  local title=$1 native guarded
  printf '\n== %s, without the guard\n' "$title" >>"$report"
  native=$(count '' "${@:2}")
  printf '\n== %s, with the guard\n' "$title" >>"$report"
  guarded=$(count "$LIBRARY" "${@:2}")
  summary+=("$title: ended well without the guard $native, with it $guarded")
}

# --- The parts of the report

describe() {
  printf 'tsfn-guard and Electron, %s\n\n== Where\n' "$(date -u +%Y-%m-%dT%H:%MZ)"
  "$GUARD" --version
  uname -srm
  sed -n 's/^PRETTY_NAME=//p' /etc/os-release
  echo "$electron"
  ELECTRON_RUN_AS_NODE=1 timeout 20 "$electron" -p 'JSON.stringify(process.versions)' 2>&1 </dev/null | tail -n 1
  ! have readelf || echo "of the seven functions it exports: $(readelf --dyn-syms -W "$electron" 2>/dev/null |
    grep -cE ' (GLOBAL|WEAK) .* napi_(create|call|acquire|release|ref|unref)_threadsafe_function$| napi_get_threadsafe_function_context$' || true)"
}

# arming: reports why the guard arms or not: what doctor says, and what the library says in each
# kind of process.
arming() {
  local line
  printf '\n== tsfn-guard doctor\n' >>"$report"
  "$GUARD" doctor "$electron" >>"$report" 2>&1 || true
  printf '\n== What the library says, as Node and as an application\n' >>"$report"
  { ELECTRON_RUN_AS_NODE=1 LD_PRELOAD=$LIBRARY TSFN_GUARD_OPTIONS=verbosity=1:require=1 timeout -k 5 30 "$electron" -p 1 2>&1 ||
    echo "status $?"; } </dev/null >>"$report"
  LD_PRELOAD=$LIBRARY TSFN_GUARD_OPTIONS=verbosity=1 TRY_RELOADS=0 TRY_ADDON=$ADDONS/issue55706.node timeout -k 5 90 \
    env -u ELECTRON_RUN_AS_NODE "${display[@]}" "$electron" "${switches[@]}" "$work/application" >"$work/output" 2>&1 </dev/null || true
  grep -aE 'tsfn-guard\[[0-9]+\]|ld\.so|^window: ' "$work/output" >>"$report" || true
  line=$(grep -aoE -m1 'not armed in .*|armed: .*' "$report") || line="it says nothing: the library was not loaded, or Electron is no runtime"
  summary+=("the guard is $line")
}

[[ -e $LIBRARY && -x $GUARD && -e $ADDONS/issue55706.node ]] ||
  die "a build with the test addons in $BUILD/release" "none, or an incomplete one" "run scripts/test.sh --tier quick"
electron=$(find_electron "$@")
: >"$report" || die "a report that can be written" "$report" "name another with -o"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
switches=() summary=()
((EUID != 0)) || switches+=(--no-sandbox) # Chromium refuses to run as root otherwise
find_display
write_application

say "trying $electron; this takes some minutes"
describe >>"$report"
place_application
arming
both "the case of nodejs/node#55706" $RUNS as_node "$ROOT/test/programs/issue55706.js"
both "a window that is reloaded $RELOADS times" 1 as_application
{
  printf '\n== In short\n'
  printf '%s\n' "${summary[@]}"
} >>"$report"
printf '%s\n' "${summary[@]}"
say "the report is $report; please send it to us"
