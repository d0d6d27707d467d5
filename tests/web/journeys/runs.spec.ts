/** The list of runs and one of them: found, followed, copied, run again. */
import { execFileSync } from 'node:child_process';
import type { APIRequestContext } from '@playwright/test';
import { signIn } from '../console.js';
import { expect, expectAccessible, expectFits, test, type World } from '../fixtures.js';
import { output, run, status } from '../playground.js';

async function makeKey(world: World, request: APIRequestContext, name: string): Promise<string> {
  const made = await request.post(`${world.server.url}/api/keys`, {
    headers: { Origin: world.server.url, 'Sec-Fetch-Site': 'same-origin' },
    data: { name },
  });
  expect(made.ok(), await made.text()).toBe(true);
  return ((await made.json()) as { key: string }).key;
}

test('runs are filtered by address, found, copied, opened and run again', async ({ context, page, request, world }) => {
  const { url } = world.server;
  await context.grantPermissions(['clipboard-read', 'clipboard-write'], { origin: url });
  await signIn(world, context, 'history@example.com');
  await page.goto(`${url}/runs`);
  await expect(page.getByText('Nothing ran yet')).toBeVisible();
  const key = await makeKey(world, context.request, 'for the list');
  const send = async (data: object) => {
    const answer = await request.post(`${url}/api/run`, { headers: { Authorization: `Bearer ${key}` }, data });
    return ((await answer.json()) as { id: string }).id;
  };
  const good = await send({ lang: 'python', code: "import sys\nprint(\"it's\", sys.argv[1:], input())", args: ['a b', '$HOME'], stdin: 'given\n' });
  await send({ lang: 'node', code: 'throw new Error("needle in node")' });

  const rows = page.getByRole('region', { name: 'List of runs' }).getByRole('row').filter({ has: page.getByRole('link') });
  await page.goto(`${url}/runs`);
  await expect(rows).toHaveCount(2);

  await test.step('filters', async () => {
    await page.getByLabel('Outcome').selectOption('failed');
    await expect(rows).toHaveCount(1);
    await expect(rows.first()).toContainText('needle in node');
    await expect(page).toHaveURL(/state=failed/);
    await page.reload();
    await expect(rows).toHaveCount(1);
    await expect(page.getByLabel('Outcome')).toHaveValue('failed');
    await page.getByRole('button', { name: 'Clear' }).click();
    await expect(rows).toHaveCount(2);
    await page.getByLabel('Language').selectOption('node');
    await page.getByRole('searchbox').fill('no such words');
    await expect(page.getByText('No run fits these filters')).toBeVisible();
    await expectAccessible(page);
    await page.getByRole('button', { name: 'Clear filters' }).click();
    await expect(rows).toHaveCount(2);
  });

  await test.step('what comes while one looks', async () => {
    await send({ lang: 'python', code: 'print("latest")' });
    await page.getByRole('button', { name: '1 new run' }).click();
    await expect(rows).toHaveCount(3);
    await expect(rows.first()).toContainText('latest');
  });

  await test.step('by keyboard', async () => {
    await page.locator('h1').click();
    for (const letter of ['j', 'j', 'k']) await page.keyboard.press(letter);
    await page.keyboard.press('Enter');
    await expect(page.getByRole('heading', { level: 1, name: 'Run', exact: true })).toBeVisible();
    await page.goBack();
    await expect(rows).toHaveCount(3);
  });

  await test.step('the parts of one', async () => {
    await page.goto(`${url}/runs/${good}`);
    await expect(page.getByText("it's ['a b', '$HOME'] given")).toBeVisible();
    await expect(page.getByText('by key for the list')).toBeVisible();
    for (const name of ['Code and inputs', 'Limits', 'JSON', 'Output']) {
      await page.getByRole('tab', { name }).click();
      await expectAccessible(page);
    }
    await page.setViewportSize({ width: 390, height: 844 });
    await expectFits(page);
    await page.setViewportSize({ width: 1280, height: 800 });
  });

  await test.step('copied as curl, it does the same', async () => {
    await page.getByRole('button', { name: 'Copy as curl' }).click();
    const command = await page.evaluate(() => navigator.clipboard.readText());
    const said = execFileSync('bash', ['-c', command], { env: { ...process.env, DOCLE_API_KEY: key }, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    expect(JSON.parse(said)).toMatchObject({ outcome: 'ok', stdout: "it's ['a b', '$HOME'] given\n" });
  });

  await test.step('run again', async () => {
    await page.getByRole('button', { name: 'Run again' }).click();
    await expect(page).not.toHaveURL(new RegExp(good));
    await expect(page.getByText("it's ['a b', '$HOME'] given")).toBeVisible();
  });

  await test.step('opened in the playground', async () => {
    await page.getByRole('button', { name: 'Open in playground' }).click();
    await expect(page.locator('.cm-content')).toContainText('sys.argv[1:]');
    await page.locator('.cm-content').click();
    await run(page);
    await expect(status(page)).toContainText('Finished');
    await expect(output(page)).toContainText("it's ['a b', '$HOME'] given");
  });
});

test('a run is followed to its end, and cancelled', async ({ context, page, world, complaints }) => {
  await signIn(world, context, 'follows@example.com');
  const ended = context.request.post(`${world.server.url}/api/run`, {
    headers: { Origin: world.server.url, 'Sec-Fetch-Site': 'same-origin' },
    data: { lang: 'python', code: 'import time\ntime.sleep(60)', policy: { timeoutMs: 60_000 } },
    timeout: 0,
  });
  let id = '';
  await expect(async () => {
    const list = await context.request.get(`${world.server.url}/api/runs`);
    id = ((await list.json()) as { runs: { id: string }[] }).runs[0]!.id;
  }).toPass();
  await page.goto(`${world.server.url}/runs/${id}`);
  await expect(page.getByText(/It is running|It waits/)).toBeVisible();
  await expectAccessible(page);
  await page.getByRole('button', { name: 'Cancel' }).click();
  await expect(page.getByText('Cancelled').first()).toBeVisible();
  expect(await (await ended).json()).toMatchObject({ id, outcome: 'cancelled' });
  await page.goto(`${world.server.url}/runs/019a0000-0000-7000-8000-000000000000`);
  await expect(page.getByRole('alert')).toBeVisible();
  await expectAccessible(page);
  expect(complaints.splice(0)).toEqual([expect.stringContaining('status of 404')]);
});
