// tsfn-guard/register: arms the guard in this process, for places where LD_PRELOAD cannot be set, and shows what it
// does. node -r tsfn-guard/register app.js, or NODE_OPTIONS=--require=/its/absolute/path.
'use strict';
const path = require('path');
const { isMainThread } = require('worker_threads');

const directory = path.join(__dirname, 'prebuilds', `${process.platform}-${process.arch}`);

// As the library says it, in one line: what was needed, what was found, what to do. JavaScript in a worker can end no
// more than the worker.
function refuse(needed, found, remedy) {
  const required = /(^|:)require=1(:|$)/.test(process.env.TSFN_GUARD_OPTIONS || '');
  const what = isMainThread ? 'it' : 'this worker';
  const outcome = required ? `require=1, so ${what} does not start` : 'it runs unguarded';
  const [reason] = found.split('\n');
  process.stderr.write(
    `tsfn-guard[${process.pid}]: not armed: needed ${needed}, found ${reason}; ${remedy}; ${outcome}\n`,
  );
  if (required) process.exit(78);
  return null;
}

function isGlibc() {
  return Boolean(process.report && process.report.getReport().header.glibcVersionRuntime);
}

function load() {
  const supported = process.platform === 'linux' && ['x64', 'arm64'].includes(process.arch);
  if (!supported)
    return refuse('Linux on x64 or arm64', `${process.platform} on ${process.arch}`, 'run it there, or remove tsfn-guard');
  try {
    return require(path.join(directory, 'register.node'));
  } catch (error) {
    if (!isGlibc()) return refuse('glibc 2.28 or newer', error.message, 'use an image with glibc');
    return refuse('register.node and libtsfnguard.so', error.message, 'install tsfn-guard again');
  }
}

const addon = load();

const parse = (line) => JSON.parse(line);

exports.library = path.join(directory, 'libtsfnguard.so');

exports.stats = () =>
  addon === null ? { version: require('./package.json').version, armed: false, mode: 'off' } : parse(addon.stats());

exports.events = () =>
  (addon === null ? '' : addon.events())
    .split('\n')
    .slice(0, -1)
    .map(parse)
    .map((event) => ({ ...event, time: new Date(event.time) }));
