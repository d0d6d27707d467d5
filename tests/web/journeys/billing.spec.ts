/** From the free plan's quota over the checkout to an invoice that is paid at the second try. */
import type { Page } from '@playwright/test';
import { signIn } from '../console.js';
import { expect, expectAccessible, expectFits, listen, openWorld, test, type World } from '../fixtures.js';
import { open, run, status, type } from '../playground.js';
import { Shop } from '../shop.js';

/** The pages of Stripe's that a browser is sent to. */
async function standAtTheTill(page: Page, shop: Shop): Promise<string[]> {
  const portals: string[] = [];
  await page.route('https://checkout.invalid/**', async (route) => {
    const session = new URL(route.request().url()).pathname.split('/').at(-1);
    const success = await shop.do('checkout', session);
    await route.fulfill({ contentType: 'text/html', body: `<title>Till</title><a href="${success}">Pay</a>` });
  });
  await page.route('https://billing.invalid/**', async (route) => {
    portals.push(route.request().url());
    await route.fulfill({ contentType: 'text/html', body: '<title>Portal</title><h1>Portal</h1>' });
  });
  return portals;
}

test('free, at its quota, upgraded, billed, paid', async ({ context, page, complaints }) => {
  const shop = await new Shop().open();
  let world: World | undefined;
  try {
    const { flags, env } = shop.settings;
    world = await openWorld(flags, { ...env, FREE_TIER_RUNS_LIMIT: '2' });
    const { url } = world.server;
    await shop.do('listen', `${url}/api/stripe/webhook`);
    const portals = await standAtTheTill(page, shop);
    await signIn(world, context, 'founder@example.com');

    await test.step('the quota', async () => {
      await open(page, url);
      await type(page, 'print("within")');
      for (const used of [1, 2]) {
        await run(page);
        await expect(status(page)).toContainText('Finished');
        await expect(page.getByRole('log', { name: 'Output' })).toContainText('within');
        if (used === 1) await type(page, 'print("within", 2)');
      }
      await run(page);
      const refusal = page.getByRole('alert').filter({ hasText: 'The runs of this month are used up' });
      await expect(refusal).toContainText(/plan free|upgrade/i);
      await expectAccessible(page);
      expect(complaints.splice(0)).toEqual([expect.stringContaining('status of 429')]);
      await page.goto(`${url}/dashboard`);
      await expect(page.getByText('2 of 2')).toBeVisible();
      await open(page, url);
      await run(page);
      await page.getByRole('link', { name: 'Plans' }).click();
      expect(complaints.splice(0)).toEqual([expect.stringContaining('status of 429')]);
    });

    await test.step('the upgrade', async () => {
      await expect(page).toHaveURL(/\/dashboard\/billing$/);
      await expect(page.getByRole('meter', { name: 'Runs this month' })).toBeVisible();
      await expect(page.getByRole('button', { name: /Cards, address/ })).toHaveCount(0);
      await page.getByRole('button', { name: 'Upgrade to Pro' }).click();
      await expect(page).toHaveTitle('Till');
      await page.getByRole('link', { name: 'Pay' }).click();
      await expect(page).toHaveURL(`${url}/dashboard/billing?success=true`);
      await expect(page.getByText('Thank you.')).toBeVisible();
      await expect(page.getByText('The next invoice comes on')).toBeVisible(); // without a reload
      await expect(page.getByRole('link', { name: /^Project / })).toContainText('pro');
      await expect(page.getByRole('button', { name: 'Upgrade to Pro' })).toHaveCount(0);
      await expectAccessible(page);
    });

    await test.step('a run of Pro', async () => {
      await page.getByRole('link', { name: 'Playground' }).first().click();
      await type(page, 'print("beyond")');
      await run(page);
      await expect(page.getByRole('log', { name: 'Output' })).toContainText('beyond');
      await expect(async () => expect(await shop.do('metered', 'docle_runs')).toBe(1)).toPass();
    });

    await test.step('an invoice that fails, then is paid', async () => {
      const invoice = await shop.do('bill', false);
      await page.goto(`${url}/dashboard/billing`);
      const row = page.getByRole('region', { name: 'Invoices' }).getByRole('row').nth(1);
      await expect(async () => {
        await page.reload();
        await expect(row).toContainText('payment failed', { timeout: 3000 });
        await expect(page.getByRole('alert')).toContainText('A payment failed', { timeout: 3000 });
      }).toPass();
      await expect(row).toContainText('$1.00');
      await expect(row.getByRole('link', { name: /^View/ })).toHaveAttribute('href', /^https:\/\/invoice\.invalid\//);
      await expectAccessible(page);
      await shop.do('pay', invoice);
      await expect(row).toContainText('paid'); // as it comes in
      await expect(page.getByRole('alert')).toHaveCount(0);
      await page.setViewportSize({ width: 390, height: 844 });
      await expectFits(page);
      await page.setViewportSize({ width: 1280, height: 800 });
    });

    await test.step('the portal', async () => {
      expect(portals).toEqual([]); // no link is made before it is wanted
      await page.getByRole('button', { name: /Cards, address, cancellation/ }).click();
      await expect(page.getByRole('heading', { name: 'Portal' })).toBeVisible();
      expect(portals).toHaveLength(1);
    });

    await test.step('a member who may not pay', async () => {
      const viewer = await context.browser()!.newContext();
      const other = await viewer.newPage();
      listen(other, complaints);
      await signIn(world!, viewer, 'someone@example.com');
      await other.goto(`${url}/dashboard/billing`);
      await expect(other.getByRole('button', { name: 'Upgrade to Pro' })).toBeVisible(); // of their own project
      await viewer.close();
    });
  } finally {
    await world?.close();
    await shop.close();
  }
});

test('where billing is off nobody is sent to it', async ({ context, page, world }) => {
  await signIn(world, context, 'no-bills@example.com');
  await page.goto(`${world.server.url}/dashboard`);
  await expect(page.getByRole('heading', { level: 1, name: 'Dashboard' })).toBeVisible();
  await expect(page.getByRole('link', { name: 'Usage' })).toBeVisible();
  await expect(page.getByRole('link', { name: 'Billing' })).toHaveCount(0);
  await page.goto(`${world.server.url}/dashboard/billing`);
  await expect(page.getByText('Billing is off on this server')).toBeVisible();
});
