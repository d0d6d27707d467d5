/** Every limit that somebody can meet, and what they are told then. */
import type { APIRequestContext, Page } from '@playwright/test';
import { signIn } from '../console.js';
import { expect, expectAccessible, openWorld, test, type World } from '../fixtures.js';
import { open, output, run, status, type } from '../playground.js';
import { Server } from '../server.js';

/** A key made through the API, as the page of keys does it. */
async function keyOf(world: World, request: APIRequestContext, rules: object): Promise<string> {
  const made = await request.post(`${world.server.url}/api/keys`, {
    headers: { Origin: world.server.url, 'Sec-Fetch-Site': 'same-origin' },
    data: { name: 'limited', ...rules },
  });
  expect(made.ok(), await made.text()).toBe(true);
  return ((await made.json()) as { key: string }).key;
}

async function set(page: Page, field: string, value: string) {
  await page.getByRole('tab', { name: 'Limits' }).click();
  await page.getByLabel(field, { exact: true }).fill(value);
}

const LIMITS: { name: string; code: string; field?: [string, string]; says: RegExp; notes?: RegExp; shows?: RegExp }[] = [
  { name: 'time', code: 'while True: pass', field: ['Time', '300'], says: /Stopped at its (time|CPU) limit/ },
  { name: 'memory', code: 'held = bytearray(10**9)\nprint(len(held))', field: ['Memory', '64'], says: /Stopped at its memory limit/, shows: /more than its 64 MB of memory/ },
  { name: 'output', code: 'for _ in range(400):\n    print("x" * 10000)', says: /Finished/, notes: /Output was cut at its limit/ },
  {
    name: 'processes',
    code: 'import os, time\nfor _ in range(100):\n    if os.fork() == 0:\n        time.sleep(2)\n        os._exit(0)',
    field: ['Processes and threads', '8'],
    says: /process limit|Failed/,
    notes: /process/i,
  },
  {
    name: 'network',
    code: 'import urllib.request\nurllib.request.urlopen("http://192.0.2.1/", timeout=5)',
    says: /Failed/,
    shows: /URLError|unreachable|Errno/,
  },
];

test('what a program meets in its sandbox is said in words', async ({ context, page, world }) => {
  await signIn(world, context, 'limits@example.com');
  for (const { name, code, field, says, notes, shows } of LIMITS) {
    await test.step(name, async () => {
      await open(page, world.server.url);
      if (field) await set(page, ...field);
      await type(page, code);
      await run(page);
      await expect(status(page)).toContainText(says);
      if (notes) await expect(page.getByRole('list', { name: 'Notes' })).toContainText(notes);
      if (shows) await expect(output(page)).toContainText(shows);
      if (field) await set(page, field[0], '');
    });
  }
  await expectAccessible(page);
});

test('what a key may not do is answered with what to do', async ({ context, request, world }) => {
  await signIn(world, context, 'rules@example.com');
  const url = `${world.server.url}/api/run`;
  const data = { lang: 'python', code: 'print(1)' };
  const send = (key: string, body: object = data) => request.post(url, { headers: { Authorization: `Bearer ${key}` }, data: body });

  const slow = await keyOf(world, context.request, { rateLimitPerMinute: 1 });
  expect((await send(slow)).status()).toBe(200);
  const again = await send(slow);
  expect(again.status()).toBe(429);
  expect(Number(again.headers()['retry-after'])).toBeGreaterThan(0);
  expect(await again.json()).toMatchObject({ code: 'rate_limited', message: expect.stringMatching(/try again in \d+ seconds/) });

  const poor = await keyOf(world, context.request, { monthlyBudget: 0.000001, budgetStops: true });
  const spent = await send(poor);
  expect(spent.status(), await spent.text()).toBe(402);
  expect(await spent.json()).toMatchObject({ code: 'budget_exceeded', message: expect.stringMatching(/budget/i) });

  const free = await keyOf(world, context.request, {});
  const large = await send(free, { lang: 'python', code: `# ${'x'.repeat(40_000_000)}` });
  expect(large.status()).toBe(413);
  expect(await large.json()).toMatchObject({ code: 'request_too_large' });
});

test('the quota where nothing can be bought', async ({ context, page, complaints }) => {
  const world = await openWorld([], { FREE_TIER_RUNS_LIMIT: '1' });
  try {
    await signIn(world, context, 'full@example.com');
    await open(page, world.server.url);
    await type(page, 'print("the only one")');
    await run(page);
    await expect(output(page)).toContainText('the only one');
    await type(page, 'print("one more")');
    await run(page);
    await expect(page.getByRole('alert')).toContainText('The runs of this month are used up');
    await expect(page.getByRole('link', { name: 'Plans' })).toHaveCount(0); // leads nowhere here
    await expect(page.locator('.cm-content')).toContainText('one more');
    await expectAccessible(page);
    expect(complaints.splice(0)).toEqual([expect.stringContaining('status of 429')]);
  } finally {
    await world.close();
  }
});

test('without an account: so many a minute, and the time until the next', async ({ page, complaints }) => {
  const server = await new Server(['--listen', '127.0.0.1:0', '--anonymous-enabled', 'yes', '--anonymous-runs-per-minute', '1']).start();
  try {
    await open(page, server.url);
    await type(page, 'print("first")');
    await run(page);
    await expect(output(page)).toContainText('first');
    await type(page, 'print("second")');
    await run(page);
    await expect(page.getByRole('alert')).toContainText(/Not now.*again in \d+ s/s);
    expect(complaints.splice(0)).toEqual([expect.stringContaining('status of 429')]);
  } finally {
    await server.stop();
  }
});
