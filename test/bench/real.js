// Real work of two addons of scripts/npm/real, for bench.js: node real.js lightningcss|watcher DIRECTORY-OF-MODULES
'use strict';
const fs = require('fs');
const os = require('os');
const path = require('path');

const [, , kind, modules] = process.argv;
const load = (name) => require(path.join(modules, name));

// Bundles of files that exist in the resolver only; each is resolved and read by JavaScript, which threads of
// a Rust pool ask through thread-safe functions.
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

// A storm: bursts of files that come, change and go, each burst awaited.
async function watcher() {
  const FILES = 500;
  const directory = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'tg-test-bench-')));
  const seen = { there: new Set(), gone: new Set() };
  let told = () => {};
  const onEvents = (error, events) => {
    if (error) throw error;
    for (const event of events) (event.type === 'delete' ? seen.gone : seen.there).add(event.path);
    told();
  };
  const subscription = await load('@parcel/watcher').subscribe(directory, onEvents, { backend: 'inotify' });
  // Files, not events: one file may have two, and one that goes before it was told of has none at all.
  const burst = async (act, files) => {
    for (let i = 0; i < FILES; i++) act(path.join(directory, `${i}`));
    while (files.size < FILES) await new Promise((resolve) => (told = resolve));
  };
  for (let i = 0; i < 2; i++) {
    seen.there.clear(); // a late second event of a file that has been told of
    seen.gone.clear();
    await burst((file) => fs.writeFileSync(file, 'some'), seen.there);
    await burst((file) => fs.unlinkSync(file), seen.gone);
  }
  await subscription.unsubscribe();
  fs.rmdirSync(directory);
}

({ lightningcss, watcher })[kind]();
