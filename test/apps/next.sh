# shellcheck shell=bash
# next build with Turbopack (@next/swc, napi-rs), next start, and what the server answers. NEXT_TELEMETRY_DISABLED is set.

mkdir -p app/api/sum app/about
cat >next.config.js <<'END'
module.exports = { generateBuildId: () => 'fixed', poweredByHeader: false };
END
cat >app/layout.jsx <<'END'
import './style.css';
export const metadata = { title: 'small' };
export default function Layout({ children }) {
  return <html lang="en"><body>{children}</body></html>;
}
END
echo 'body { color: #123456; }' >app/style.css
cat >app/counter.jsx <<'END'
'use client';
import { useState } from 'react';
export default function Counter() {
  const [n, set] = useState(0);
  return <button onClick={() => set(n + 1)}>pressed {n} times</button>;
}
END
cat >app/page.jsx <<'END'
import Counter from './counter';
export default function Page() {
  return <main><h1>small</h1><Counter /></main>;
}
END
echo 'export default function About() { return <p>about</p>; }' >app/about/page.jsx
cat >app/api/sum/route.js <<'END'
export const dynamic = 'force-dynamic';
export async function GET(request) {
  const { searchParams } = new URL(request.url);
  return Response.json({ sum: Number(searchParams.get('a')) + Number(searchParams.get('b')) });
}
END

next=$MODULES/next/dist/bin/next
node "$next" build >build.log || { cat build.log >&2; exit 1; }
# The routes, and the checksum of every file that browsers get.
grep -E '^[├└┌]' build.log
sums .next/static

port=$(node -p 'const s = require("net").createServer().listen(0, () => { console.log(s.address().port); s.close(); }); ""' | head -n 1)
node "$next" start -p "$port" >start.log 2>&1 &
server=$!
trap 'kill $server 2>/dev/null || true' EXIT
for _ in $(seq 300); do
  ! grep -q Ready start.log || break
  kill -0 $server || { cat start.log >&2; exit 1; }
  sleep 0.1
done
cat >ask.js <<'END'
const base = `http://127.0.0.1:${process.argv[2]}`;
async function main() {
  const answers = await Promise.all(Array.from({ length: 200 }, (_, i) =>
    fetch(`${base}/api/sum?a=${i}&b=1`).then((answer) => answer.json())));
  console.log(answers.every(({ sum }, i) => sum === i + 1) ? '200 right sums' : answers);
  for (const path of ['/', '/about', '/missing']) {
    const answer = await fetch(base + path);
    console.log(path, answer.status, /<(h1|p)[ >].*?<\/\1>/.exec(await answer.text())?.[0].slice(0, 60));
  }
}
main();
END
node ask.js "$port"
kill $server
wait $server && echo 'server: 0' || echo "server: $?"
