// The official client, driven line by line: {"call": ["billing","meters","create"], "args": […], "options": {…}}.
import { createInterface } from 'node:readline';
import { createRequire } from 'node:module';

const [folder, base, key, retries] = process.argv.slice(2);
const Stripe = createRequire(`${folder}/`)('stripe');
const { protocol, hostname, port } = new URL(base);
const stripe = new Stripe(key, {
  host: hostname, port, protocol: protocol.slice(0, -1), maxNetworkRetries: Number(retries), telemetry: false,
});

for await (const line of createInterface({ input: process.stdin })) {
  const { call, args, sync } = JSON.parse(line);
  let answer;
  try {
    const owner = call.slice(0, -1).reduce((at, name) => at[name], stripe);
    const value = owner[call.at(-1)](...args);
    answer = { value: sync ? value : await value };
  } catch (error) {
    answer = { error: {
      type: error.type ?? error.name, message: error.message, code: error.code, status: error.statusCode,
      param: error.param } };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
