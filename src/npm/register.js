// tsfn-guard/register: arms the guard in this process, where LD_PRELOAD cannot be set, and shows
// its state. Use node -r tsfn-guard/register app.js, or NODE_OPTIONS=--require=/its/absolute/path.
'use strict';
const fs = require('fs');
const path = require('path');
const { isMainThread } = require('worker_threads');

const directory = path.join(__dirname, 'prebuilds', `${process.platform}-${process.arch}`);

const isSupported = process.platform === 'linux' && ['x64', 'arm64'].includes(process.arch);

// Parses the first pair of the text as src/options/options.c does. Returns its length, key and
// value. A value is quoted only if the closing quote ends the pair. The colon of fd:N is not a
// separator.
function readPair(text) {
  const [key] = /^[^=:]*/.exec(text);
  if (text[key.length] !== '=') return { length: key.length, key };
  const rest = text.slice(key.length + 1);
  const closing = rest[0] === "'" || rest[0] === '"' ? rest.indexOf(rest[0], 1) : -1;
  const isQuoted = closing > 0 && (closing + 1 === rest.length || rest[closing + 1] === ':');
  const [bare] = /^(fd:)?[^:]*/.exec(rest);
  const value = isQuoted ? rest.slice(1, closing) : bare;
  return { length: key.length + 1 + (isQuoted ? closing + 1 : bare.length), key, value };
}

// The value of an option. Its last pair counts. The default is the first of `values`.
function option(name, values) {
  let chosen = values[0];
  for (let text = process.env.TSFN_GUARD_OPTIONS || ''; text !== ''; ) {
    const { length, key, value } = readPair(text);
    if (key === name) chosen = values.includes(value) ? value : values[0];
    text = text.slice(length + 1);
  }
  return chosen;
}

// Writes synchronously and ignores errors: if nobody reads stderr, process.stderr would end the
// program.
function say(line) {
  try {
    fs.writeSync(2, line);
  } catch {
    // nobody can read it
  }
}

const isRequired = () => option('require', ['0', '1']) === '1';

// Says why the process stays unguarded, and ends it if require=1. JavaScript in a worker can end
// only the worker.
function stayUnguarded(why) {
  if (option('mode', ['protect', 'diagnose', 'off']) === 'off') return null;
  const what = isMainThread ? 'it' : 'this worker';
  const outcome = isRequired() ? `require=1, so ${what} does not start` : 'it runs unguarded';
  say(`tsfn-guard[${process.pid}]: ${why}; ${outcome}\n`);
  if (isRequired()) process.exit(78);
  return null;
}

// The message has the form of the library's: what was needed, what was found, what to do.
function refuse(needed, found, remedy) {
  const [reason] = found.split('\n');
  return stayUnguarded(`not armed: needed ${needed}, found ${reason}; ${remedy}`);
}

// A project may have this package in its dependencies and developers on other systems. So this is
// not a failure, and one line per process is enough.
function doNothingHere() {
  if (!isMainThread && !isRequired()) return null;
  return stayUnguarded(`does nothing on ${process.platform} ${process.arch}: it supports only Linux on x64 and arm64`);
}

function isGlibc() {
  return Boolean(process.report && process.report.getReport().header.glibcVersionRuntime);
}

function load() {
  if (!isSupported) return doNothingHere();
  try {
    return require(path.join(directory, 'register.node'));
  } catch (error) {
    // musl can place the library's thread-local data only at the start of a process.
    if (!isGlibc()) return refuse('glibc, or a preloaded library', error.message, 'start it with tsfn-guard');
    return refuse('register.node and libtsfnguard.so', error.message, 'install tsfn-guard again');
  }
}

const addon = load();

const parse = (line) => JSON.parse(line);

exports.library = isSupported ? path.join(directory, 'libtsfnguard.so') : null;

exports.stats = () =>
  addon === null ? { version: require('./package.json').version, armed: false, mode: 'off' } : parse(addon.stats());

exports.events = () =>
  (addon === null ? '' : addon.events())
    .split('\n')
    .slice(0, -1)
    .map(parse)
    .map((event) => ({ ...event, time: new Date(event.time) }));
