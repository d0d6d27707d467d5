/** Writing, running, stopping, coming back, sharing: in a real browser, against real sandboxes. */
import { signIn } from '../console.js';
import { expect, expectAccessible, expectFits, listen, test } from '../fixtures.js';
import { open, output, run, status, type } from '../playground.js';
import { Server } from '../server.js';

test('a program runs from the keyboard, and its traceback leads to the line', async ({ context, page, world }) => {
  await signIn(world, context, 'runs@example.com');
  await open(page, world.server.url);
  await expect(page.getByRole('list', { name: 'Examples' }).getByRole('button')).toHaveCount(8);
  await type(page, 'import sys\nprint("\\x1b[32mgreen\\x1b[0m")\nprint("aside", file=sys.stderr)\nopen("t.csv", "w").write("a,b\\n1,2\\n")\n');
  await run(page);
  await expect(status(page)).toContainText('Finished');
  await expect(output(page)).toContainText('green');
  await expect(output(page)).toContainText(/err\s*aside/);
  await page.getByRole('tab', { name: /^Files left/ }).click();
  await expect(page.getByRole('columnheader', { name: 'a' })).toBeVisible();

  await type(page, 'def f():\n    return 1 / 0\n\n\nf()\n');
  await run(page);
  await expect(status(page)).toContainText('Failed');
  await page.getByRole('button', { name: /go to line 2 of main.py/ }).click();
  await expect(page.locator('.cm-activeLine')).toHaveText(/return 1 \/ 0/);
  await expect(page.locator('.cm-lint-marker-error')).toBeVisible();

  await page.keyboard.press('Escape');
  await page.keyboard.press('Tab');
  await expect(page.locator('.cm-content')).not.toBeFocused();
  await page.getByRole('tab', { name: 'History' }).click();
  await expect(page.getByRole('list', { name: 'Runs of this browser' }).getByRole('listitem')).toHaveCount(2);
});

test('a run is stopped, and one that is left is found again', async ({ context, page, world }) => {
  await signIn(world, context, 'stops@example.com');
  await open(page, world.server.url);
  await type(page, 'import time\nfor n in range(40):\n    print("tick", n, flush=True)\n    time.sleep(0.1)\n');
  await page.getByRole('tab', { name: 'Limits' }).click();
  await page.getByLabel('Time', { exact: true }).fill('60000');
  await run(page);
  await expect(output(page)).toContainText('tick 3');
  await page.getByRole('button', { name: 'Stop' }).click();
  await expect(status(page)).toContainText('Stopped');

  await run(page);
  await expect(output(page)).toContainText('tick 2');
  await page.reload();
  await expect(status(page)).toContainText('Finished');
  await expect(output(page)).toContainText('tick 39');
  await expect(page.locator('.cm-content')).toContainText('range(40)');
});

test('what was refused stands at its field, and nothing is lost', async ({ context, page, world, complaints }) => {
  await signIn(world, context, 'refused@example.com');
  await open(page, world.server.url);
  await type(page, 'print("kept")');
  await page.getByRole('tab', { name: 'Limits' }).click();
  await page.getByLabel('Time', { exact: true }).fill('1');
  await run(page);
  await expect(page.getByRole('alert')).toContainText('policy.timeoutMs');
  await expect(page.getByLabel('Time', { exact: true })).toHaveAttribute('aria-invalid', 'true');
  expect(complaints.splice(0)).toEqual([expect.stringContaining('status of 400')]);
  await page.getByLabel('Time', { exact: true }).fill('');
  await run(page);
  await expect(output(page)).toContainText('kept');
});

test('megabytes of output stay quick', async ({ context, page, world }) => {
  await signIn(world, context, 'much@example.com');
  await open(page, world.server.url);
  await type(page, 'for n in range(70000):\n    print("line", n)\n');
  await run(page);
  await expect(status(page)).toContainText('Finished');
  await expect(output(page)).toContainText('line 69999');
  expect(await output(page).evaluate((log) => log.querySelectorAll('*').length)).toBeLessThan(2000);
});

test('a program is shared by link and opened by somebody else', async ({ browser, context, page, world, complaints }) => {
  await signIn(world, context, 'shares@example.com');
  await open(page, world.server.url);
  await type(page, 'print("</script><b>shared</b>")');
  await page.getByRole('button', { name: 'Share' }).click();
  await page.getByLabel(/Title/).fill('For all');
  await page.getByRole('button', { name: 'Make link' }).click();
  const link = await page.getByRole('dialog').getByRole('link', { name: /\/s\// }).first().innerText();

  const stranger = await browser.newContext();
  const other = await stranger.newPage();
  listen(other, complaints);
  await other.goto(link);
  await expect(other.locator('.cm-content')).toContainText('</script><b>shared</b>');
  await expect(other.getByText('from a shared program')).toBeVisible();
  await expect(other.getByRole('link', { name: 'Sign in' }).first()).toBeVisible();
  await stranger.close();
});

test('without an account programs run where the operator allows it', async ({ page }) => {
  const server = await new Server(['--listen', '127.0.0.1:0', '--anonymous-enabled', 'yes']).start();
  try {
    await open(page, server.url);
    await type(page, 'print("nobody in particular")');
    await run(page);
    await expect(output(page)).toContainText('nobody in particular');
    await expect(page.getByText('Look around and type')).toHaveCount(0);
  } finally {
    await server.stop();
  }
});

for (const scheme of ['light', 'dark'] as const) {
  for (const [size, viewport] of [
    ['desktop', { width: 1440, height: 900 }],
    ['phone', { width: 390, height: 844 }],
  ] as const) {
    test(`the playground can be used by everybody, ${scheme}, ${size}`, async ({ context, page, world }) => {
      await signIn(world, context, 'everybody@example.com');
      await page.setViewportSize(viewport);
      await page.emulateMedia({ colorScheme: scheme });
      await open(page, world.server.url);
      await expectAccessible(page);
      await expectFits(page);
      await type(page, 'raise ValueError("no")');
      await run(page);
      await expect(status(page)).toContainText('Failed');
      await expectAccessible(page);
      if (size === 'phone') await page.getByRole('tab', { name: 'Setup' }).click();
      for (const name of ['Input', 'Packages', 'Limits', 'History']) {
        await page.getByRole('tab', { name }).click();
        await expectAccessible(page);
        await expectFits(page);
      }
    });
  }
}
