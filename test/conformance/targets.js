// Turns binding.gyp files into calls of CMakeLists.txt's addon(DIRECTORY NAME SOURCES… DEFINES…),
// on stdout.
// node targets.js BINDING.GYP…
'use strict';
const { readFileSync } = require('fs');
const { dirname } = require('path');

// A gyp file without its comments is a JavaScript expression.
function parse(path) {
  const text = readFileSync(path, 'utf8').replace(/^\s*#.*$/gm, '');
  return new Function(`return ${text}`)();
}

for (const path of process.argv.slice(2)) {
  for (const { target_name: name, sources, defines = [] } of parse(path).targets) {
    const list = sources.filter((source) => !source.endsWith('.h'));
    console.log(`addon(${dirname(path)} ${name} SOURCES ${list.join(' ')} DEFINES ${defines.join(' ')})`);
  }
}
