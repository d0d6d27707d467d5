/** The playground as a place to work: several files, input, what is left, coming back to it. */
import { readFileSync } from 'node:fs';
import { signIn } from '../console.js';
import { expect, expectAccessible, listen, openWorld, test } from '../fixtures.js';
import { open, output, run, status, type } from '../playground.js';
import { Server } from '../server.js';

const PIXEL = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';

test('several files, input, arguments, environment, and what is left', async ({ context, page, world, complaints }) => {
  await signIn(world, context, 'files@example.com');
  await open(page, world.server.url);
  await type(
    page,
    `import base64, os, sys\nfrom helper import shout\nprint(shout(input()), sys.argv[1:], os.environ["SECRET"])\nopen("dot.png", "wb").write(base64.b64decode("${PIXEL}"))\n`,
  );
  await page.getByRole('button', { name: 'New file' }).click();
  await page.getByLabel('Path').fill('../outside.py');
  await page.keyboard.press('Enter');
  await expect(page.getByLabel('Path')).toHaveAttribute('aria-invalid', 'true');
  await page.getByLabel('Path').fill('helper.py');
  await page.keyboard.press('Enter');
  await expect(page.getByRole('tab', { name: 'helper.py' })).toHaveAttribute('aria-selected', 'true');
  await type(page, 'def shout(text):\n    return text.upper()\n');
  await page.getByRole('tab', { name: 'Input' }).click();
  await page.getByLabel('Standard input').fill('quiet\n');
  await page.getByLabel('Arguments').fill('one two\nthree');
  await page.getByRole('button', { name: 'Add variable' }).click();
  await page.getByLabel('Name of variable 1').fill('SECRET');
  await page.getByLabel('Value of SECRET').fill('hush');
  await run(page);
  await expect(output(page)).toContainText("QUIET ['one two', 'three'] hush");
  await page.getByRole('tab', { name: /^Files left/ }).click();
  await expect(page.getByRole('img', { name: /dot\.png/ })).toBeVisible();
  await expectAccessible(page);

  await page.getByRole('tab', { name: /^Files\b(?! left)/ }).click();
  const [zip] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: '.zip' }).click()]);
  const bytes = readFileSync(await zip.path());
  expect(bytes.subarray(0, 4).toString('latin1')).toBe('PK\x03\x04');
  for (const name of ['main.py', 'helper.py']) expect(bytes.includes(name)).toBe(true);

  await page.reload();
  await expect(page.getByRole('tab', { name: 'helper.py' })).toBeVisible();
  await page.getByRole('tab', { name: 'Input' }).click();
  await expect(page.getByLabel('Standard input')).toHaveValue('quiet\n');
  // Chromium's advice on hidden values outside a form, which is what keeps it from storing them.
  complaints.splice(0, complaints.length, ...complaints.filter((line) => !/Password field is not contained/.test(line)));
});

test('Node.js, and history that brings a program back', async ({ context, page, world }) => {
  await signIn(world, context, 'node@example.com');
  await open(page, world.server.url);
  await page.getByLabel('Language').selectOption('node');
  await type(page, 'console.log("from", process.release.name)');
  await run(page);
  await expect(output(page)).toContainText('from node');
  await type(page, 'console.log("something else")');
  await page.getByRole('tab', { name: 'History' }).click();
  await page.getByRole('button', { name: /^Bring back/ }).first().click();
  await expect(page.locator('.cm-content')).toContainText('process.release.name');
  await page.getByRole('button', { name: 'Undo' }).click();
  await expect(page.locator('.cm-content')).toContainText('something else');
});

test('a shared program is forked by whoever opens it', async ({ browser, context, page, world, complaints }) => {
  await signIn(world, context, 'giver@example.com');
  await open(page, world.server.url);
  await type(page, 'print("the original")');
  await page.keyboard.press('ControlOrMeta+s');
  await page.getByRole('button', { name: 'Make link' }).click();
  const link = await page.getByRole('dialog').getByRole('link', { name: /\/s\// }).first().innerText();
  const desk = await browser.newContext();
  try {
    await signIn(world, desk, 'taker@example.com');
    const other = await desk.newPage();
    listen(other, complaints);
    await other.goto(link);
    await expect(other.locator('.cm-content')).toContainText('the original');
    await type(other, 'print("my own turn")');
    await run(other);
    await expect(output(other)).toContainText('my own turn');
    await other.reload();
    await expect(other.locator('.cm-content')).toContainText('my own turn'); // the fork, not the original
    await page.goto(link);
    await expect(page.locator('.cm-content')).toContainText('the original');
  } finally {
    await desk.close();
  }
});

test('a session that ends, and a server that restarts, lose no work', async ({ context, page, complaints }) => {
  const world = await openWorld();
  try {
    await signIn(world, context, 'unlucky@example.com');
    await open(page, world.server.url);
    await type(page, 'print("before")');
    await context.clearCookies();
    await run(page);
    await expect(page.getByRole('heading', { name: 'Please sign in again' })).toBeVisible();
    await signIn(world, context, 'unlucky@example.com');
    await page.getByRole('button', { name: 'I have signed in' }).click();
    await expect(page.getByRole('dialog')).toHaveCount(0);
    await page.locator('.cm-content').click();
    await run(page);
    await expect(output(page)).toContainText('before');

    await type(page, 'import time\nprint("under way", flush=True)\ntime.sleep(2)\nprint("through")');
    await run(page);
    await expect(output(page)).toContainText('under way');
    await world.server.end();
    await world.server.start();
    await expect(status(page)).not.toContainText('Reconnecting');
    await expect(page.getByRole('button', { name: 'Run Ctrl' })).toBeVisible();
    await expect(output(page)).toContainText('under way');
    await expect(page.locator('.cm-content')).toContainText('through');
    await page.locator('.cm-content').click();
    await run(page);
    await expect(status(page)).toContainText('Finished');
    await expect(output(page)).toContainText('through');
    complaints.splice(0);
  } finally {
    await world.close();
  }
});

test('without an account, where runs need one, work is kept for after signing in', async ({ page }) => {
  const server = await new Server(['--listen', '127.0.0.1:0']).start();
  try {
    await open(page, server.url);
    await type(page, 'print("later")');
    await expect(page.getByText('Look around and type')).toBeVisible();
    await page.getByRole('link', { name: 'Sign in' }).first().click();
    await expect(page).toHaveURL(/\/login\?next=/);
    await page.goBack();
    await expect(page.locator('.cm-content')).toContainText('later');
    await expectAccessible(page);
  } finally {
    await server.stop();
  }
});
