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
  let seen = 0;
  let told = () => {};
  const onEvents = (error, events) => {
    if (error) throw error;
    seen += events.length;
    told();
  };
  const subscription = await load('@parcel/watcher').subscribe(directory, onEvents, { backend: 'inotify' });
  const burst = async (act) => {
    for (let i = 0; i < FILES; i++) act(path.join(directory, `${i}`));
    while (seen < FILES) await new Promise((resolve) => (told = resolve));
    seen = 0;
  };
  for (let i = 0; i < 2; i++) {
    await burst((file) => fs.writeFileSync(file, 'some'));
    await burst((file) => fs.unlinkSync(file));
  }
  await subscription.unsubscribe();
  fs.rmdirSync(directory);
}

({ lightningcss, watcher })[kind]();
