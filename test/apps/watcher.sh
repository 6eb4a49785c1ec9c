# shellcheck shell=bash
# @parcel/watcher over 10,000 files: each is created, changed and deleted, and each is told of.

cat >watch.js <<'END'
const fs = require('fs');
const path = require('path');
const watcher = require('@parcel/watcher');

const dir = fs.realpathSync('.') + '/files';
const batches = Array.from({ length: 100 }, (_, b) => path.join(dir, `${b}`));
const files = (batch) => Array.from({ length: 100 }, (_, i) => path.join(batch, `${i}`));
for (const batch of batches) fs.mkdirSync(batch, { recursive: true });

const seen = { create: new Set(), update: new Set(), delete: new Set() };
let errors = 0;

// A batch at a time, so that inotify's queue is long enough.
async function each(type, act) {
  for (const batch of batches) {
    for (const file of files(batch)) act(file);
    while (files(batch).some((file) => !seen[type].has(file))) await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

async function main() {
  const subscription = await watcher.subscribe(dir, (error, events) => {
    if (error) errors++;
    for (const { type, path } of events ?? []) seen[type].add(path);
  });
  await each('create', (file) => fs.writeFileSync(file, 'some'));
  await each('update', (file) => fs.appendFileSync(file, 'more'));
  await each('delete', (file) => fs.unlinkSync(file));
  await subscription.unsubscribe();
  console.log({ create: seen.create.size, update: seen.update.size, delete: seen.delete.size, errors });
}
main();
END
node watch.js
