// ffi-rs: functions of C call JavaScript. Here each call comes from a fresh thread, which does not
// wait for an answer.
'use strict';
const { open, load, createPointer, unwrapPointer, funcConstructor, DataType } = require('ffi-rs');
const cases = require('./cases');

open({ library: 'process', path: '' }); // every glibc has pthread_create there
const call = (funcName, retType, paramsType, paramsValue) =>
  load({ library: 'process', funcName, retType, paramsType, paramsValue });

// Returns a function that starts a thread, which calls back once.
function threads(callback) {
  const shape = funcConstructor({ paramsType: [DataType.I32], retType: DataType.Void });
  const [pointer] = unwrapPointer(createPointer({ paramsType: [shape], paramsValue: [callback] }));
  const id = Buffer.alloc(8);
  const detached = Buffer.alloc(64);
  call('pthread_attr_init', DataType.I32, [DataType.U8Array], [detached]);
  call('pthread_attr_setdetachstate', DataType.I32, [DataType.U8Array, DataType.I32], [detached, 1]);
  const types = [DataType.U8Array, DataType.U8Array, DataType.External, DataType.I32];
  return (number) => {
    const status = call('pthread_create', DataType.I32, types, [id, detached, pointer, number]);
    if (status !== 0) throw new Error(`pthread_create: ${status}`);
  };
}

const work = () => new Promise((resolve) => {
  const alive = setInterval(() => {}, 1000);
  let calls = 0, sum = 0;
  const start = threads((number) => {
    sum += number;
    if (++calls < 200) return start(calls);
    clearInterval(alive);
    resolve({ calls, sum });
    setImmediate(() => process.exit()); // the function itself keeps the loop alive
  });
  start(0);
});

function busy(dir, swing) {
  let calls = 0;
  const start = threads(() => {
    start(7);
    if (++calls === 100) swing();
  });
  for (let i = 0; i < 8; i++) start(7);
}

cases({ work, busy });
