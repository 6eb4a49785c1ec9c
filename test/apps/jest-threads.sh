# shellcheck shell=bash
# jest with worker threads: twelve files of tests over bcrypt and lightningcss.

mkdir src
cat >bcrypt.template <<'END'
const bcrypt = require('bcrypt');
const { isMainThread } = require('worker_threads');

test('runs in a worker', () => expect(isMainThread).toBe(false));
test('a password and its hash', async () => {
  const hash = await bcrypt.hash('secret', 4);
  expect(await Promise.all(['secret', 'Secret'].map((word) => bcrypt.compare(word, hash)))).toEqual([true, false]);
});
END
cat >css.template <<'END'
const { bundleAsync } = require('lightningcss');

test('a bundle whose files JavaScript reads', async () => {
  const files = { '/a.css': '@import "b.css"; .a { color: red }', '/b.css': '.b { color: #00ff00 }' };
  const { code } = await bundleAsync({ filename: '/a.css', minify: true, resolver: { read: async (name) => files[name] } });
  expect(Buffer.from(code).toString()).toBe('.b{color:#0f0}.a{color:red}');
});
END
for i in 1 2 3 4 5 6; do
  cp bcrypt.template "src/bcrypt$i.test.js"
  cp css.template "src/css$i.test.js"
done
echo '{ "testEnvironment": "node", "testTimeout": 300000 }' >jest.config.json
node "$MODULES/jest/bin/jest.js" --rootDir . --config jest.config.json --workerThreads --maxWorkers=4 --verbose >/dev/null 2>jest.log ||
  { cat jest.log >&2; exit 1; }
# jest prints the duration of a slow file behind its name. It also complains about a worker that
# does not end within half a second.
sed 's/ ([0-9.]* m\?s)//; /^Time:/d; /failed to exit gracefully/d' jest.log | grep -v '^$' | sort
