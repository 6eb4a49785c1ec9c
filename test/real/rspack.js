// Rspack: builds in threads of tokio, with a loader and a plug-in in JavaScript.
'use strict';
const fs = require('fs');
const { rspack } = require('@rspack/core');
const cases = require('./cases');

function writeProject(dir) {
  const modules = Array.from({ length: 100 }, (_, i) => i);
  fs.mkdirSync(`${dir}/src`);
  for (const i of modules) fs.writeFileSync(`${dir}/src/m${i}.js`, `export default ${i};\n`);
  const imports = modules.map((i) => `import m${i} from './m${i}.js';\n`).join('');
  fs.writeFileSync(`${dir}/src/index.js`, `${imports}console.log(${modules.map((i) => `m${i}`).join(' + ')});\n`);
  fs.writeFileSync(`${dir}/loader.js`, 'module.exports = (source) => `${source}/* loaded */`;\n');
}

function build(dir, onResolve) {
  const plugIn = {
    apply: (compiler) => compiler.hooks.normalModuleFactory.tap('test', (factory) =>
      factory.hooks.beforeResolve.tapAsync('test', (data, done) => {
        onResolve();
        setImmediate(done);
      })),
  };
  const compiler = rspack({
    mode: 'development', devtool: false, context: dir, entry: './src/index.js',
    output: { path: `${dir}/out`, filename: 'main.js' },
    module: { rules: [{ test: /m\d+\.js$/, use: [`${dir}/loader.js`] }] },
    plugins: [plugIn],
  });
  return new Promise((resolve, reject) => compiler.run((error, stats) =>
    compiler.close(() => (error ? reject(error) : resolve(stats)))));
}

async function work(dir) {
  writeProject(dir);
  let resolved = 0;
  const stats = await build(dir, () => resolved++);
  const loaded = fs.readFileSync(`${dir}/out/main.js`, 'utf8').match(/\/\* loaded \*\//g).length;
  return { errors: stats.compilation.errors.length, resolved, loaded };
}

async function busy(dir, swing) {
  writeProject(dir);
  let resolved = 0;
  for (;;) await build(dir, () => ++resolved === 30 && swing());
}

cases({ work, busy });
