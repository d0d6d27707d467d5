/** From the mailed link to signing out, as somebody does it who has never seen Docle. */
import type { BrowserContext, Page } from '@playwright/test';
import { expect, expectAccessible, expectFits, test, type World } from '../fixtures.js';
import { signIn } from '../console.js';

/** Every page of somebody who is signed in, with the heading that says that it is there. */
const ROUTES: [path: string, heading: string][] = [
  ['/dashboard', 'Dashboard'],
  ['/dashboard/billing', 'Billing'],
  ['/playground', 'Playground'],
  ['/runs', 'Runs'],
  ['/keys', 'API keys'],
  ['/usage', 'Usage'],
  ['/settings', 'Settings'],
  ['/settings/members', 'Settings'],
  ['/settings/webhook', 'Settings'],
  ['/settings/audit', 'Settings'],
  ['/settings/sessions', 'Settings'],
  ['/settings/account', 'Settings'],
  ['/projects', 'Projects'],
  ['/invitations', 'Invitations'],
  ['/docs', 'Quick start'],
];
const SIZES = { desktop: { width: 1280, height: 800 }, phone: { width: 390, height: 844 } };
const SHOTS = `${process.env.DOCLE_TEST_RESULTS ?? 'test-results'}/screenshots`;

/** A run, good and bad, and a shared program; their pages. */
async function populate(world: World, context: BrowserContext): Promise<[path: string, heading: string][]> {
  const send = async (path: string, data: object) => {
    const answer = await context.request.post(path, {
      headers: { Origin: world.server.url, 'Sec-Fetch-Site': 'same-origin' },
      data,
    });
    expect(answer.ok(), await answer.text()).toBe(true);
    return ((await answer.json()) as { id: string }).id;
  };
  const code = 'import csv\nwith open("sales.csv", "w") as f:\n    csv.writer(f).writerows([["month", "sum"], ["May", 12], ["June", 15]])\nprint("Two months, 27 in all")\n';
  await send('/api/run', { lang: 'python', code: 'raise ValueError("a row has no price")' });
  const run = await send('/api/run', { lang: 'python', code, args: ['--year', '2026'], stdin: 'north\n' });
  const share = await send('/api/shares', { title: 'Sales by month', lang: 'python', code });
  return [
    [`/runs/${run}`, 'Run'],
    [`/s/${share}`, 'Playground'],
  ];
}

async function open(page: Page, path: string, heading: string) {
  await page.goto(path);
  await expect(page.getByRole('heading', { level: 1, name: heading })).toBeVisible();
  await page.waitForLoadState('networkidle');
}

test('a first day: sign in, make a key, run, see it counted, revoke, sign out', async ({ context, page, request, world }) => {
  await page.goto(`${world.server.url}/`);
  await expect(page).toHaveURL(/\/login\?next=%2Fdashboard|\/login\?next=\/dashboard/);
  await page.getByLabel('E-mail address').fill('first@example.com');
  await page.getByRole('button', { name: 'Mail me a link' }).click();
  await expect(page.getByRole('heading', { name: 'Look into your mail' })).toBeFocused();
  await page.goto(await world.link('first@example.com'));
  await page.getByRole('button', { name: 'Sign in' }).click();
  await expect(page.getByRole('heading', { level: 1, name: 'Dashboard' })).toBeVisible();
  await expect(page.getByRole('heading', { name: 'First steps' })).toBeVisible();

  await page.getByRole('link', { name: 'Make a key' }).click();
  await page.getByLabel('Name').fill('laptop');
  await page.getByRole('button', { name: 'Make the key' }).click();
  const shown = page.getByTestId('new-key');
  await expect(shown).toHaveText(/^sk_live_[0-9a-f]{48}$/);
  const key = (await shown.textContent())!;
  await expect(page.getByRole('button', { name: 'Done' })).toBeDisabled();
  await page.keyboard.press('Escape'); // no way out before it is kept
  await expect(shown).toBeVisible();
  await page.getByLabel('I have stored the key').check();
  await page.getByRole('button', { name: 'Done' }).click();
  await expect(page.getByText('laptop')).toBeVisible();
  await expect(page.getByText('Never used')).toBeVisible();
  await expect(page.locator('body')).not.toContainText(key); // never again

  const run = await request.post(`${world.server.url}/api/run`, {
    headers: { Authorization: `Bearer ${key}` },
    data: { lang: 'python', code: 'print("hello")' },
  });
  expect(await run.json()).toMatchObject({ outcome: 'ok', stdout: 'hello\n' });

  await page.getByRole('link', { name: 'Dashboard' }).click();
  await expect(page.locator('dl > div').filter({ hasText: /^Runs/ }).locator('dd').first()).toHaveText('1');
  await expect(page.getByRole('row').filter({ hasText: 'OK' })).toHaveCount(1);
  await expect(page.getByRole('heading', { name: 'First steps' })).toHaveCount(0);

  await page.getByRole('link', { name: 'API keys' }).first().click();
  await page.getByRole('button', { name: 'Actions for laptop' }).click();
  await page.getByRole('menuitem', { name: 'Revoke' }).click();
  await page.getByRole('button', { name: 'Undo' }).click(); // within five seconds nothing was sent
  await expect(page.getByText('laptop')).toBeVisible();
  await page.getByRole('button', { name: 'Actions for laptop' }).click();
  await page.getByRole('menuitem', { name: 'Revoke' }).click();
  await expect(page.getByText('No key is active')).toBeVisible();
  await expect(async () => {
    const refused = await request.get(`${world.server.url}/api/runs`, { headers: { Authorization: `Bearer ${key}` } });
    expect(refused.status()).toBe(401);
  }).toPass();

  await page.getByRole('button', { name: 'Account' }).click();
  await page.getByRole('menuitem', { name: 'Sign out' }).click();
  await expect(page.getByRole('heading', { name: 'Sign in' })).toBeVisible();
  expect((await world.me(context)).status).toBe(401);
});

for (const [size, viewport] of Object.entries(SIZES)) {
  for (const scheme of ['light', 'dark'] as const) {
    test(`every page, ${size}, ${scheme}: accessible, whole, and as in its picture`, async ({ browser, world }) => {
      const context = await browser.newContext({ viewport, colorScheme: scheme, baseURL: world.server.url });
      try {
        await signIn(world, context, 'reader@example.com');
        const page = await context.newPage();
        const made = await populate(world, context);
        for (const [path, heading] of [...ROUTES, ...made]) {
          await test.step(path, async () => {
            await open(page, path, heading);
            await expectFits(page);
            await expectAccessible(page);
            const name = path.slice(1).replace(/^(runs|s)\/.*/, '$1-one').replaceAll('/', '-');
            await page.screenshot({ path: `${SHOTS}/${name}-${size}-${scheme}.png`, fullPage: true });
          });
        }
      } finally {
        await context.close();
      }
    });
  }
}

test('the keyboard alone: palette, dialog, menu', async ({ context, page, world }) => {
  await signIn(world, context, 'keys@example.com');
  await page.goto(`${world.server.url}/dashboard`);
  await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
  await page.keyboard.press('Control+k');
  await expect(page.getByRole('textbox', { name: 'Find' })).toBeFocused();
  await expectAccessible(page);
  await page.keyboard.type('api key');
  await page.keyboard.press('Enter');
  await expect(page).toHaveURL(/\/keys$/);
  await expect(page.getByRole('heading', { level: 1, name: 'API keys' })).toBeFocused();
  await page.keyboard.press('Control+k');
  await page.keyboard.type('make an api');
  await page.keyboard.press('Enter');
  await expect(page.getByLabel('Name')).toBeFocused();
  await expectAccessible(page);
  await page.keyboard.type('by hand');
  await page.keyboard.press('Enter');
  await expect(page.getByTestId('new-key')).toBeVisible();
});

test('a session that ends keeps what was typed', async ({ context, page, world, complaints }) => {
  await signIn(world, context, 'patient@example.com');
  await page.goto(`${world.server.url}/keys?new=1`);
  await page.getByLabel('Name').fill('a long and careful name');
  await context.clearCookies();
  await page.getByRole('button', { name: 'Make the key' }).click();
  await expect(page.getByRole('heading', { name: 'Please sign in again' })).toBeVisible();
  await signIn(world, context, 'patient@example.com');
  await page.getByRole('button', { name: 'I have signed in' }).click();
  await expect(page.getByLabel('Name')).toHaveValue('a long and careful name');
  await page.getByRole('button', { name: 'Make the key' }).click();
  await expect(page.getByTestId('new-key')).toBeVisible();
  complaints.splice(0, complaints.length, ...complaints.filter((line) => !/status of 401/.test(line)));
});

test('a server that is away is said, and come back to', async ({ context, page, world, complaints }) => {
  await signIn(world, context, 'waiting@example.com');
  await page.goto(`${world.server.url}/usage`);
  await expect(page.getByRole('heading', { level: 1, name: 'Usage' })).toBeVisible();
  await context.setOffline(true);
  await page.getByLabel('Month').selectOption({ index: 1 });
  await expect(page.getByRole('alert')).toContainText(/offline|cannot be reached/);
  await expect(page.getByText('You are offline.').first()).toBeVisible();
  await context.setOffline(false);
  await expect(page.getByRole('alert')).toHaveCount(0); // by itself
  complaints.splice(0);
});

test('nobody is sent to another site after signing in', async ({ context, page, world }) => {
  await signIn(world, context, 'next@example.com');
  for (const next of ['https://evil.example/', '//evil.example', '/\\evil.example', 'javascript:alert(1)']) {
    await page.goto(`${world.server.url}/login?next=${encodeURIComponent(next)}`);
    await expect(page).toHaveURL(`${world.server.url}/dashboard`);
  }
});
