/** The stand-in for Stripe, as a child of the test. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { createInterface, type Interface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export class Shop {
  private readonly child: ChildProcessWithoutNullStreams;
  private readonly lines: AsyncIterator<string>;
  private readonly reader: Interface;
  url = '';
  prices: string[] = [];

  constructor() {
    this.child = spawn('/usr/bin/python3', [fileURLToPath(new URL('shop.py', import.meta.url))]);
    this.child.stderr.pipe(process.stderr);
    this.reader = createInterface(this.child.stdout);
    this.lines = this.reader[Symbol.asyncIterator]();
  }

  private async read(): Promise<Record<string, unknown>> {
    const { value, done } = await this.lines.next();
    if (done) throw new Error('the stand-in for Stripe ended');
    return JSON.parse(value) as Record<string, unknown>;
  }

  async open(): Promise<this> {
    Object.assign(this, await this.read());
    return this;
  }

  async do(name: 'listen' | 'checkout' | 'metered' | 'bill' | 'pay', ...given: unknown[]): Promise<unknown> {
    this.child.stdin.write(`${JSON.stringify({ do: name, with: given })}\n`);
    const answer = await this.read();
    if ('error' in answer) throw new Error(`${name}: ${answer.error}`);
    return answer.is;
  }

  /** What a server needs to bill here. */
  get settings(): { flags: string[]; env: NodeJS.ProcessEnv } {
    return {
      flags: ['--billing-stripe-url', this.url, '--billing-batch-seconds', '1'],
      env: {
        STRIPE_SECRET_KEY: 'sk_test_docle',
        STRIPE_WEBHOOK_SECRET: 'whsec_standin',
        STRIPE_METER_WEBHOOK_SECRET: 'whsec_meter',
        STRIPE_PRICE_ID: this.prices[0],
        STRIPE_CPU_PRICE_ID: this.prices[1],
      },
    };
  }

  async close(): Promise<void> {
    const ended = new Promise((done) => this.child.once('exit', done));
    this.child.stdin.end();
    this.child.kill('SIGTERM');
    await ended;
    this.reader.close();
  }
}
