// @temporalio/core-bridge (neon): its threads settle promises, and hand log entries to JavaScript.
'use strict';
const net = require('net');
const { native } = require('@temporalio/core-bridge');
const cases = require('./cases');

const runtime = (receiver) => native.newRuntime({
  logExporter: { type: 'forward', filter: 'WARN,temporalio_client=TRACE,temporalio_sdk_core=TRACE,temporal_client=TRACE', receiver },
  telemetry: { attachServiceName: false, metricPrefix: 'temporal_' },
  metricsExporter: null,
  workerHeartbeatIntervalMillis: null,
});
const connect = (to, port) => native.newClient(to, {
  targetUrl: `http://127.0.0.1:${port}`, clientName: 'tsfn-guard', clientVersion: '1', tls: null, httpConnectProxy: null,
  dnsLoadBalancingConfig: null, grpcCompression: { codec: 'none' }, headers: null, apiKey: null,
  disableErrorCodeMetricTags: true, payloadsWarnSize: 0, memoWarnSize: 0,
});

// A server that hangs up, so each attempt to connect is refused.
const serve = () => new Promise((resolve) => {
  const server = net.createServer((socket) => socket.destroy());
  server.listen(0, '127.0.0.1', () => resolve(server));
});

async function work() {
  const server = await serve();
  const one = runtime(() => {});
  let refused = 0;
  for (let i = 0; i < 10; i++) await connect(one, server.address().port).catch(() => refused++);
  server.close();
  native.runtimeShutdown(one);
  return { refused };
}

async function busy(dir, swing) {
  const { port } = (await serve()).address();
  const one = runtime(() => {});
  let refused = 0;
  const ask = async () => {
    for (;;) {
      await connect(one, port).catch(() => {});
      if (++refused === 20) swing();
    }
  };
  for (let i = 0; i < 8; i++) ask();
}

cases({ work, busy });
