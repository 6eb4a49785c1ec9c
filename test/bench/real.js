// Real work of addons of scripts/npm/real, for bench.js:
// node real.js lightningcss|watcher|lmdb|edr|server DIRECTORY-OF-MODULES
'use strict';
const fs = require('fs');
const http = require('http');
const os = require('os');
const path = require('path');

const [, , kind, modules] = process.argv;
const load = (name) => require(path.join(modules, name));

// Bundles files that exist only in the resolver. JavaScript resolves and reads each file. Threads
// of a Rust pool ask for that through thread-safe functions.
async function lightningcss() {
  const FILES = 500;
  const { bundleAsync } = load('lightningcss');
  for (let bundle = 0; bundle < 10; bundle++) {
    const { code } = await bundleAsync({
      filename: '0.css',
      resolver: {
        resolve: (specifier) => specifier,
        read: (file) => {
          const i = parseInt(file, 10);
          const imports = [2 * i + 1, 2 * i + 2].filter((j) => j < FILES).map((j) => `@import "${j}.css";`);
          return `${imports.join('')} .c${i} { width: ${i}px }`;
        },
      },
    });
    const rules = `${code}`.split('}').length - 1;
    if (rules !== FILES) throw new Error(`${rules} rules of ${FILES}`);
  }
}

// A storm: bursts of files that come, change and go. After each burst this waits for the events.
async function watcher() {
  const FILES = 500;
  const directory = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'tg-test-bench-')));
  const seen = { there: new Set(), gone: new Set() };
  let notify = () => {};
  const onEvents = (error, events) => {
    if (error) throw error;
    for (const event of events) (event.type === 'delete' ? seen.gone : seen.there).add(event.path);
    notify();
  };
  const subscription = await load('@parcel/watcher').subscribe(directory, onEvents, { backend: 'inotify' });
  // Files are counted, and not events: a file may have two events, and none at all if it goes
  // before its first event is reported.
  const burst = async (act, files) => {
    for (let i = 0; i < FILES; i++) act(path.join(directory, `${i}`));
    while (files.size < FILES) await new Promise((resolve) => (notify = resolve));
  };
  for (let i = 0; i < 2; i++) {
    seen.there.clear(); // also removes files whose second event came late
    seen.gone.clear();
    await burst((file) => fs.writeFileSync(file, 'some'), seen.there);
    await burst((file) => fs.unlinkSync(file), seen.gone);
  }
  await subscription.unsubscribe();
  fs.rmdirSync(directory);
}

// Writes in batches, and waits for each. lmdb calls JavaScript from libuv's threads when a batch is
// committed.
async function lmdb() {
  const BATCHES = 200;
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'tg-test-bench-'));
  const store = load('lmdb').open({ path: path.join(directory, 'database'), noSync: true, mapSize: 1 << 28 });
  for (let batch = 0; batch < BATCHES; batch++) {
    const puts = [];
    for (let i = 0; i < 100; i++) puts.push(store.put(`key ${batch} ${i}`, { batch, text: 'x'.repeat(i) }));
    await Promise.all(puts);
  }
  if (store.getCount() !== BATCHES * 100) throw new Error(`${store.getCount()} keys`);
  await store.close();
  fs.rmSync(directory, { recursive: true });
}

// An async function of napi-rs in a loop: Hardhat's Ethereum node is asked for its block's number.
// For each promise napi-rs creates a thread-safe function.
async function edr() {
  const { EdrContext, ContractDecoder, ...names } = load('@nomicfoundation/edr-linux-x64-gnu');
  const context = new EdrContext();
  const hardfork = names.l1HardforkLatest();
  await context.registerProviderFactory(names.L1_CHAIN_TYPE, names.l1ProviderFactory());
  const provider = await context.createProvider(names.L1_CHAIN_TYPE, {
    allowBlocksWithSameTimestamp: true, allowUnlimitedContractSize: true, bailOnCallFailure: false,
    bailOnTransactionFailure: false, chainId: 31337n, coinbase: Buffer.alloc(20, 1),
    defaultTransactionGasLimit: 16000000n, genesisState: names.l1GenesisState(hardfork),
    hardfork: names.l1HardforkToString(hardfork), minGasPrice: 0n, mining: { autoMine: true, memPool: { order: 'Priority' } },
    network: { genesisBlockGasLimit: 30000000n, genesisBlockTime: 1700000000n }, networkId: 31337n, observability: {},
    ownedAccounts: [], precompileOverrides: [],
  }, { enable: false, decodeConsoleLogInputsCallback: () => [], printLineCallback: () => {} },
  { subscriptionCallback: () => {} }, new ContractDecoder());
  const question = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'eth_blockNumber', params: [] });
  for (let i = 0; i < 5000; i++) {
    const { data } = await provider.handleRequest(question);
    if (!`${typeof data === 'string' ? data : JSON.stringify(data)}`.includes('0x0')) throw new Error(`${data}`);
  }
}

// An HTTP server. Each request writes a file, and is answered when @parcel/watcher has reported
// that file.
async function server() {
  const CLIENTS = 25;
  const directory = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'tg-test-bench-')));
  const waiting = new Map();
  const onEvents = (error, events) => {
    if (error) throw error;
    for (const { path: file } of events) {
      waiting.get(file)?.end('told');
      waiting.delete(file);
    }
  };
  const subscription = await load('@parcel/watcher').subscribe(directory, onEvents, { backend: 'inotify' });
  const serving = http.createServer((request, response) => {
    const file = path.join(directory, request.url.slice(1));
    waiting.set(file, response);
    fs.writeFileSync(file, 'some');
  });
  await new Promise((resolve) => serving.listen(0, '127.0.0.1', resolve));
  const agent = new http.Agent({ keepAlive: true, maxSockets: CLIENTS });
  const ask = (file) => new Promise((resolve, reject) => {
    http.get({ port: serving.address().port, host: '127.0.0.1', path: `/${file}`, agent }, (response) => {
      response.resume().on('end', resolve);
    }).on('error', reject);
  });
  const client = async (number) => {
    for (let i = 0; i < 20; i++) await ask(`${number}-${i}`);
  };
  await Promise.all(Array.from({ length: CLIENTS }, (_, number) => client(number)));
  agent.destroy();
  serving.close();
  await subscription.unsubscribe();
  fs.rmSync(directory, { recursive: true });
}

({ lightningcss, watcher, lmdb, edr, server })[kind]();
