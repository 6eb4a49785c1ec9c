// Measures the variants side by side. Every measurement alternates between them in short slices,
// and every round starts new processes. So neither a change of the machine's speed nor the memory
// layout of one process looks like a difference between variants.
//
// node bench.js LIBRARY ADDONS [--quick] [--rounds N] [--json FILE] [--modules DIRECTORY]
//               [--other LIBRARY] [--only REGEXP]
'use strict';
const { fork } = require('child_process');
const fs = require('fs');
const os = require('os');
const path = require('path');
const { measurements, crowds } = require('./figures.js');
const { median, summarize } = require('./stats.js');
const { report } = require('./report.js');

function parse([library, addons, ...rest]) {
  const options = { library, addons, rounds: 9, quick: false };
  while (rest.length > 0) {
    const name = rest.shift().slice(2);
    options[name] = name === 'quick' ? true : rest.shift();
  }
  options.rounds = Number(options.rounds);
  return options;
}

const options = parse(process.argv.slice(2));
const DIAGNOSE = 'mode=diagnose:log_path=/dev/null';
const VARIANTS = {
  native: { addon: 'plain', env: {} },
  guarded: { addon: 'plain', env: { LD_PRELOAD: options.library } },
  diagnose: { addon: 'plain', env: { LD_PRELOAD: options.library, TSFN_GUARD_OPTIONS: DIAGNOSE } },
  locked: { addon: 'locked', env: {} },
  typed: { addon: 'typed', env: {} },
  // Another build of the guard, for example of an older commit.
  ...(options.other === undefined ? {} : { other: { addon: 'plain', env: { LD_PRELOAD: options.other } } }),
};
const addonOf = (name) => path.join(options.addons, `${VARIANTS[name].addon}.node`);
for (const name of Object.keys(VARIANTS)) if (!fs.existsSync(addonOf(name))) delete VARIANTS[name];

// Starts a process of a variant. Returns a function that sends it a request and resolves to the
// answer.
function start(variant) {
  const { env } = VARIANTS[variant];
  const child = fork(`${__dirname}/server.js`, [addonOf(variant)], { env: { ...process.env, ...env } });
  let answered;
  let failed;
  child.on('message', (answer) => answered(answer));
  child.on('exit', (code, signal) => failed?.(new Error(`the ${variant} process ended: ${code ?? signal}`)));
  const server = (...request) =>
    new Promise((resolve, reject) => {
      answered = resolve;
      failed = reject;
      child.send(request);
    });
  server.end = () => {
    child.removeAllListeners('exit');
    child.kill('SIGKILL');
  };
  return server;
}

// Returns a function that runs a whole program in a variant's environment.
const plain = require(addonOf('native'));
function runner(variant) {
  const run = (...command) => plain.run(...command);
  run.env = VARIANTS[variant].env;
  return run;
}

async function slice(measurement, variant, servers) {
  if (measurement.program) {
    const { env } = VARIANTS[variant];
    Object.assign(process.env, env);
    try {
      return measurement.run(runner(variant));
    } finally {
      for (const name of Object.keys(env)) delete process.env[name];
    }
  }
  if (!measurement.fresh) return measurement.run(servers[variant]);
  const server = start(variant);
  const result = await measurement.run(server);
  server.end();
  return result;
}

const present = (measurement) => measurement.variants.filter((name) => name in VARIANTS);

// By MEASUREMENT/FIGURE. For each variant there is one value a round, and one ratio and one
// difference to native.
const results = new Map();

function keep(measurement, figure, variant, kind, value) {
  const id = `${measurement.id}/${figure}`;
  if (!results.has(id))
    results.set(id, { id, title: measurement.title, figure, unit: measurement.units[figure], values: {}, ratios: {},
      differences: {} });
  (results.get(id)[kind][variant] ??= []).push(value);
}

const mergeByMedian = (slices) =>
  Object.fromEntries(Object.keys(slices[0]).map((figure) => [figure, median(slices.map((one) => one[figure]))]));

// Keeps a round's figures, and its ratios and differences. For these each slice is compared with
// the native slice next to it.
function keepRound(measurement, slices) {
  for (const variant of present(measurement)) {
    const merged = (measurement.merge ?? mergeByMedian)(slices[variant]);
    const native = (measurement.merge ?? mergeByMedian)(slices.native);
    for (const figure of Object.keys(merged)) {
      const pairs = measurement.merge
        ? [[merged[figure], native[figure]]]
        : slices[variant].map((one, i) => [one[figure], slices.native[i][figure]]);
      keep(measurement, figure, variant, 'values', merged[figure]);
      if (variant === 'native') continue;
      keep(measurement, figure, variant, 'ratios', median(pairs.map(([own, other]) => own / other)));
      keep(measurement, figure, variant, 'differences', median(pairs.map(([own, other]) => own - other)));
    }
  }
}

// In each slice another variant comes first.
async function measure(measurement, servers, round) {
  const names = present(measurement);
  const slices = Object.fromEntries(names.map((name) => [name, []]));
  for (let i = 0; i < measurement.slices; i++)
    for (let j = 0; j < names.length; j++) {
      const variant = names[(round + i + j) % names.length];
      slices[variant].push(await slice(measurement, variant, servers));
    }
  keepRound(measurement, slices);
}

async function warmUp(server) {
  for (let i = 0; i < 3; i++) {
    await server('burst', 5000, i % 2);
    await server('cycles', 200, 1);
  }
}

const progress = (text) => process.stderr.isTTY && process.stderr.write(`\r\x1b[K${text}`);

async function doRounds(all) {
  for (let round = 0; round < options.rounds; round++) {
    const servers = {};
    for (const name of Object.keys(VARIANTS)) await warmUp((servers[name] = start(name)));
    for (const measurement of all) {
      progress(`round ${round + 1} of ${options.rounds}: ${measurement.title}`);
      await measure(measurement, servers, round);
    }
    for (const server of Object.values(servers)) server.end();
  }
}

async function doCrowds(all) {
  const servers = new Map();
  for (const measurement of all) {
    progress(`preparing: ${measurement.title}`);
    const pair = { native: start('native'), guarded: start('guarded') };
    await Promise.all(Object.values(pair).map(async (server) => {
      await warmUp(server);
      await measurement.prepare(server);
    }));
    servers.set(measurement, pair);
  }
  for (let round = 0; round < options.rounds; round++) {
    progress(`crowds, round ${round + 1}`);
    const slices = all.map(() => ({ native: [], guarded: [] }));
    for (let i = 0; i < 3; i++)
      for (const variant of ['native', 'guarded'])
        for (const [place, measurement] of all.entries())
          slices[place][variant].push(await measurement.run(servers.get(measurement)[variant]));
    for (const [place, measurement] of all.entries()) keepRound(measurement, slices[place]);
  }
  for (const pair of servers.values()) for (const server of Object.values(pair)) server.end();
}

function machine() {
  const read = (file, pattern) => pattern.exec(fs.readFileSync(file, 'utf8'))?.[1] ?? 'unknown';
  return {
    cpu: `${os.cpus()[0].model.trim()}, ${os.cpus().length} processors`,
    system: `Linux ${os.release()}, ${read('/etc/os-release', /PRETTY_NAME="(.*)"/)}`,
    node: process.version,
    load: os.loadavg().map((load) => load.toFixed(1)).join(' '),
    date: new Date().toISOString().slice(0, 10),
  };
}

async function main() {
  const begun = Date.now();
  const wanted = (measurement) => options.only === undefined || new RegExp(options.only).test(measurement.id);
  await doRounds(measurements(options).filter(wanted));
  await doCrowds(crowds(options).filter(wanted));
  progress('');
  const summarized = (lists) =>
    Object.fromEntries(Object.entries(lists).map(([variant, values]) => [variant, summarize(values)]));
  const outcome = {
    machine: machine(),
    rounds: options.rounds,
    seconds: Math.round((Date.now() - begun) / 1000),
    figures: [...results.values()].map((result) => ({
      ...result,
      values: summarized(result.values),
      ratios: summarized(result.ratios),
      differences: summarized(result.differences),
    })),
  };
  if (options.sizeof) outcome.sizeof = Number(options.sizeof);
  process.stdout.write(report(outcome));
  if (options.json) fs.writeFileSync(options.json, `${JSON.stringify(outcome, null, 1)}\n`);
  process.exit(0);
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
