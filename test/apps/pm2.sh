# shellcheck shell=bash
# pm2 in fork and in cluster mode: servers that compress CSS with lightningcss are asked, reloaded, asked again, and stopped.

export PM2_HOME=$PWD/pm2 PM2_DISABLE_VERSION_CHECK=true
pm2() { node "$MODULES/pm2/bin/pm2" "$@" >>pm2.log 2>&1 || { cat pm2.log >&2; exit 1; }; }
trap 'node "$MODULES/pm2/bin/pm2" kill >/dev/null 2>&1 || true' EXIT

cat >server.js <<'END'
const http = require('http');
const { bundleAsync } = require('lightningcss');
http.createServer(async (request, response) => {
  const { code } = await bundleAsync({ filename: '/a.css', minify: true, resolver: { read: async () => `a { width: ${request.url.slice(1)}px }` } });
  response.end(code);
}).listen(process.env.PORT, () => process.send?.('ready'));
END
cat >ask.js <<'END'
async function main() {
  const wrong = [];
  await Promise.all(Array.from({ length: 100 }, async (_, i) => {
    const text = await (await fetch(`http://127.0.0.1:${process.argv[2]}/${i}`)).text();
    if (text !== `a{width:${i === 0 ? 0 : `${i}px`}}`) wrong.push(text);
  }));
  console.log(wrong.length === 0 ? '100 right answers' : wrong);
}
main();
END
free_port() { node -p 'const s = require("net").createServer().listen(0, () => { console.log(s.address().port); s.close(); }); ""' | head -n 1; }

for mode in fork cluster; do
  PORT=$(free_port)
  export PORT
  instances=1
  [[ $mode == fork ]] || instances=4
  cat >"$mode.config.js" <<END
module.exports = { apps: [{ name: '$mode', script: 'server.js', exec_mode: '$mode', instances: $instances, wait_ready: true, listen_timeout: 120000 }] };
END
  pm2 start "$mode.config.js"
  echo "$mode"
  node ask.js "$PORT"
  pm2 reload "$mode.config.js"
  node ask.js "$PORT"
  node "$MODULES/pm2/bin/pm2" jlist 2>/dev/null | tail -n 1 | node -p '
    JSON.parse(require("fs").readFileSync(0)).map((p) => [p.name, p.pm2_env.exec_mode, p.pm2_env.status, p.pm2_env.unstable_restarts].join(" ")).sort().join("\n")'
  pm2 delete "$mode"
done
