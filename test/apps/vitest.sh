# shellcheck shell=bash
# vitest --pool=threads: twelve files of tests over rolldown and lightningcss, each in a worker of its own.

mkdir src
cat >rolldown.template <<'END'
import { expect, test } from 'vitest';
import { rolldown } from 'rolldown';
import { isMainThread } from 'node:worker_threads';

test('runs in a worker', () => expect(isMainThread).toBe(false));
test('a bundle of modules that a plug-in makes', async () => {
  const plugin = {
    name: 'made',
    resolveId: (id) => id,
    load: (id) => id === 'main' ? 'import { two } from "two"; console.log(two);' : 'export const two = 1 + 1;',
  };
  const bundle = await rolldown({ input: 'main', plugins: [plugin] });
  const { output } = await bundle.generate({ format: 'esm' });
  await bundle.close();
  expect(output[0].code).toContain('console.log(');
});
END
cat >css.template <<'END'
import fs from 'node:fs';
import { expect, test } from 'vitest';
import { bundleAsync } from 'lightningcss';

test('a bundle whose files JavaScript reads', async () => {
  const files = { '/a.css': '@import "b.css"; .a { color: red }', '/b.css': '.b { color: #00ff00 }' };
  const { code } = await bundleAsync({ filename: '/a.css', minify: true, resolver: { read: async (name) => files[name] } });
  expect(code.toString()).toBe('.b{color:#0f0}.a{color:red}');
});
test('one that fails', async () => {
  await expect(bundleAsync({ filename: '/a.css', resolver: { read: () => { throw new Error('gone'); } } })).rejects.toThrow('gone');
});
END
for i in 1 2 3 4 5 6; do
  cp rolldown.template "src/rolldown$i.test.mjs"
  cp css.template "src/css$i.test.mjs"
done
echo 'export default { test: { testTimeout: 300000, hookTimeout: 300000 } };' >vitest.config.mjs
node "$MODULES/vitest/vitest.mjs" run --root . --pool=threads --reporter=verbose >vitest.log 2>&1 || { cat vitest.log >&2; exit 1; }
# The result of each test, without its duration.
sed 's/\x1b\[[0-9;]*m//g; s/ [0-9.]*m\?s$//' vitest.log | grep -E '^ *(✓|×|Test Files|Tests) ' | sort
