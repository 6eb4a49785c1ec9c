// @nomicfoundation/edr: Hardhat's Ethereum node. Threads of tokio pass log lines and news of blocks
// to JavaScript.
'use strict';
const edr = require('@nomicfoundation/edr-linux-x64-gnu');
const cases = require('./cases');

// The well-known first account of every Hardhat network.
const key = '0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80';
const from = '0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266';
const to = `0x${'22'.repeat(20)}`;

async function network(onLine, onEvent) {
  const context = new edr.EdrContext();
  const hardfork = edr.l1HardforkLatest();
  await context.registerProviderFactory(edr.L1_CHAIN_TYPE, edr.l1ProviderFactory());
  const provider = await context.createProvider(edr.L1_CHAIN_TYPE, {
    allowBlocksWithSameTimestamp: true, allowUnlimitedContractSize: true, bailOnCallFailure: false,
    bailOnTransactionFailure: false, chainId: 31337n, coinbase: Buffer.alloc(20, 1),
    defaultTransactionGasLimit: 16000000n,
    genesisState: [{ address: Buffer.from(from.slice(2), 'hex'), balance: 10n ** 24n }, ...edr.l1GenesisState(hardfork)],
    hardfork: edr.l1HardforkToString(hardfork), minGasPrice: 0n, mining: { autoMine: true, memPool: { order: 'Priority' } },
    network: { genesisBlockGasLimit: 30000000n, genesisBlockTime: 1700000000n }, networkId: 31337n, observability: {},
    ownedAccounts: [key], precompileOverrides: [],
  }, { enable: true, decodeConsoleLogInputsCallback: () => [], printLineCallback: (line) => void onLine(line) },
  { subscriptionCallback: (event) => void onEvent(event) }, new edr.ContractDecoder());
  const ask = async (method, ...params) => {
    const { data } = await provider.handleRequest(JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }));
    const answer = typeof data === 'string' ? JSON.parse(data) : data;
    if (answer.error) throw new Error(answer.error.message);
    return answer.result;
  };
  await ask('eth_subscribe', 'newHeads');
  return ask;
}

async function work() {
  let lines = 0;
  let events = 0;
  const ask = await network(() => lines++, () => events++);
  for (let i = 1; i <= 20; i++) await ask('eth_sendTransaction', { from, to, value: `0x${i.toString(16)}` });
  while (events < 20) await new Promise(setImmediate);
  const balance = await ask('eth_getBalance', to, 'latest');
  return { balance, events, logged: lines > 20 };
}

async function busy(dir, swing) {
  let lines = 0;
  const ask = await network(() => ++lines === 40 && swing(), () => {});
  const send = async () => {
    for (;;) await ask('eth_sendTransaction', { from, to, value: '0x1' });
  };
  for (let i = 0; i < 4; i++) send();
}

cases({ work, busy });
