// tsfn-guard/register: arms the guard in this process, where LD_PRELOAD cannot be set, and shows its
// state. Use node -r tsfn-guard/register app.js, or NODE_OPTIONS=--require=/its/absolute/path.
'use strict';
const fs = require('fs');
const path = require('path');
const { isMainThread } = require('worker_threads');

const directory = path.join(__dirname, 'prebuilds', `${process.platform}-${process.arch}`);

// Parses the first pair of the text as src/options/options.c does. Returns its length, key and value.
// A value is quoted only if the closing quote ends the pair. The colon of fd:N is not a separator.
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

// The value of an option: the one in its last pair, or else the default, which is the first of
// `values`.
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

// Prints the same line as the library: what was needed, what was found, what to do. JavaScript in a
// worker can end only the worker.
function refuse(needed, found, remedy) {
  if (option('mode', ['protect', 'diagnose', 'off']) === 'off') return null;
  const required = option('require', ['0', '1']) === '1';
  const what = isMainThread ? 'it' : 'this worker';
  const outcome = required ? `require=1, so ${what} does not start` : 'it runs unguarded';
  const [reason] = found.split('\n');
  say(`tsfn-guard[${process.pid}]: not armed: needed ${needed}, found ${reason}; ${remedy}; ${outcome}\n`);
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
    // musl gives the library's thread-local data room only at the start of a process.
    if (!isGlibc()) return refuse('glibc, or a preloaded library', error.message, 'start it with tsfn-guard');
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
