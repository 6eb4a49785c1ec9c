// @ast-grep/napi: many threads search files, and each thread calls JavaScript with what it has
// found.
'use strict';
const fs = require('fs');
const { findInFiles, Lang } = require('@ast-grep/napi');
const cases = require('./cases');

// Workers share the directory, and write the same files at the same time.
function writeSources(dir) {
  fs.mkdirSync(`${dir}/src`, { recursive: true });
  for (let i = 0; i < 60; i++) {
    fs.writeFileSync(`${dir}/src/${i}.js`, `function f${i}(a) { console.log(a, ${i}); return a }\n`.repeat(100));
  }
}

const find = (dir, onNodes) =>
  findInFiles(Lang.JavaScript, { paths: [`${dir}/src`], matcher: { rule: { pattern: 'console.log($$$)' } } },
    (error, nodes) => {
      if (error) throw error;
      onNodes(nodes);
    });

// The promise may settle before the last callback.
async function work(dir) {
  writeSources(dir);
  let files = 0;
  let found = 0;
  const said = await find(dir, (nodes) => {
    files++;
    found += nodes.length;
  });
  while (files < said) await new Promise(setImmediate);
  return { files, found };
}

async function busy(dir, swing) {
  writeSources(dir);
  let files = 0;
  const search = async () => {
    for (;;) await find(dir, () => ++files === 20 && swing());
  };
  search();
  search();
}

cases({ work, busy, shared: true });
