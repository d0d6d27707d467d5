/** Signing in by a mailed link, as somebody in a browser does it. */
import { type BrowserContext, expect as plain } from '@playwright/test';
import { expect, expectAccessible, expectFits, listen, test } from '../fixtures.js';

async function sessionCookie(context: BrowserContext) {
  return (await context.cookies()).find(({ name }) => name === 'docle_session');
}

test('a mailed link signs in', async ({ context, page, world }) => {
  const { link } = await world.ask(context, 'ada@example.com');
  const shown = await page.goto(link);
  plain(shown?.status()).toBe(200);
  plain(shown?.headers()['content-security-policy']).toContain("default-src 'none'");
  await expect(page).toHaveTitle('Sign in to Docle');
  await expect(page.getByText('ada@example.com')).toBeVisible();
  await expect(page.getByLabel('Code')).toHaveCount(0);
  await expect(page.locator('main')).toHaveCSS('max-width', '416px'); // the style is in force
  await expectAccessible(page);
  plain(await sessionCookie(context)).toBeUndefined(); // looking changes nothing

  await page.reload(); // as a mail scanner before it
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.waitForURL('**/dashboard');
  const cookie = await sessionCookie(context);
  plain(cookie).toMatchObject({ httpOnly: true, sameSite: 'Lax', secure: false, path: '/', domain: '127.0.0.1' });
  const days = (cookie!.expires - Date.now() / 1000) / 86400;
  plain(Math.round(days)).toBe(30);
  plain(await world.me(context)).toEqual({ status: 200, email: 'ada@example.com' });
  plain((await context.cookies()).find(({ name }) => name === 'docle_signin')).toBeUndefined();

  const again = await page.goto(link); // once is all
  plain(again?.status()).toBe(403);
  await expect(page.getByRole('heading')).toHaveText('You cannot sign in with this link');
  await expect(page.getByRole('link', { name: 'Ask for a new link' })).toBeVisible();
  await expectAccessible(page);
  plain(await world.me(context)).toEqual({ status: 200, email: 'ada@example.com' }); // still signed in
});

test('another browser is asked for the code', async ({ browser, context, complaints, world }) => {
  const { code, link } = await world.ask(context, 'grace@example.com');
  const elsewhere = await browser.newContext();
  try {
    const page = await elsewhere.newPage();
    listen(page, complaints);
    await page.goto(link);
    const field = page.getByLabel('Code of six digits');
    await expect(field).toBeFocused();
    await expectAccessible(page);

    await page.getByRole('button').click(); // the browser itself holds an empty field back
    plain(page.url()).toBe(link);
    await field.fill(code === '000000' ? '000001' : '000000');
    await page.getByRole('button').click();
    await expect(page.getByRole('alert')).toHaveText('That was not the code.');
    await expect(field).toHaveAccessibleDescription(/That was not the code/);
    await expect(field).toBeFocused();
    await expectAccessible(page);
    plain(await world.me(elsewhere)).toMatchObject({ status: 401 });

    await field.fill(code);
    await page.getByRole('button').click();
    await page.waitForURL('**/dashboard');
    plain(await world.me(elsewhere)).toEqual({ status: 200, email: 'grace@example.com' });
    plain(await world.me(context)).toMatchObject({ status: 401 }); // who asked is not signed in by it
  } finally {
    await elsewhere.close();
  }
});

test('five wrong codes end the link', async ({ browser, complaints, context, world }) => {
  const { code, link } = await world.ask(context, 'eve@example.com');
  const elsewhere = await browser.newContext();
  try {
    const page = await elsewhere.newPage();
    listen(page, complaints);
    await page.goto(link);
    for (let i = 0; i < 5; i++) {
      await page.getByLabel('Code').fill(code === '000000' ? '000001' : '000000');
      await Promise.all([page.waitForEvent('load'), page.getByRole('button').click()]);
    }
    await page.goto(link);
    await expect(page.getByRole('heading')).toHaveText('You cannot sign in with this link');
  } finally {
    await elsewhere.close();
  }
});

test('an expired link says so', async ({ context, page, world }) => {
  const { link } = await world.ask(context, 'late@example.com');
  world.server.change("UPDATE links SET expires_at = created_at WHERE email = 'late@example.com'");
  plain((await page.goto(link))?.status()).toBe(403);
  await expect(page.getByText('too old')).toBeVisible();
  await expectAccessible(page);
});

test('a link that expires while its page is open', async ({ context, page, world }) => {
  const { link } = await world.ask(context, 'slow@example.com');
  await page.goto(link);
  world.server.change("UPDATE links SET expires_at = created_at WHERE email = 'slow@example.com'");
  await page.getByRole('button', { name: 'Sign in' }).click();
  await expect(page.getByRole('heading')).toHaveText('You cannot sign in with this link');
  plain(await sessionCookie(context)).toBeUndefined();
});

test('by keyboard alone', async ({ context, page, world }) => {
  const { link } = await world.ask(context, 'keys@example.com');
  await page.goto(link);
  await page.keyboard.press('Tab');
  const button = page.getByRole('button', { name: 'Sign in' });
  await expect(button).toBeFocused();
  await expect(button).toHaveCSS('outline-style', 'solid');
  await page.keyboard.press('Enter');
  await page.waitForURL('**/dashboard');
  plain(await world.me(context)).toMatchObject({ status: 200 });
});

test('the code by keyboard alone', async ({ browser, complaints, context, world }) => {
  const { code, link } = await world.ask(context, 'typed@example.com');
  const elsewhere = await browser.newContext();
  try {
    const page = await elsewhere.newPage();
    listen(page, complaints);
    await page.goto(link);
    await expect(page.getByLabel('Code')).toBeFocused();
    await page.keyboard.type(code);
    await page.keyboard.press('Enter');
    await page.waitForURL('**/dashboard');
  } finally {
    await elsewhere.close();
  }
});

test('somebody else’s address is text, never markup', async ({ context, page, world }) => {
  const { link } = await world.ask(context, "o'neil&sons+x=1@example.com");
  await page.goto(link);
  await expect(page.getByText("o'neil&sons+x=1@example.com", { exact: true })).toBeVisible();
  await page.goto(`${world.server.url}/auth/verify?token=%22%3E%3Cscript%3Ealert(1)%3C/script%3E`);
  await expect(page.getByRole('heading')).toHaveText('You cannot sign in with this link');
});

test('another site cannot press the button', async ({ context, page, world }) => {
  const { link } = await world.ask(context, 'victim@example.com');
  const token = new URL(link).searchParams.get('token')!;
  await page.route('http://evil.test/', (route) =>
    route.fulfill({
      contentType: 'text/html',
      body: `<form method="post" action="${world.server.url}/auth/verify"><input name="token" value="${token}"><button>Win</button></form>`,
    }),
  );
  await page.goto('http://evil.test/');
  const [answer] = await Promise.all([
    page.waitForResponse((response) => response.url().endsWith('/auth/verify')),
    page.getByRole('button').click(),
  ]);
  plain(answer.status()).toBe(403);
  await expect(page.getByRole('heading')).toHaveText('Cross-site request refused');
  await expectAccessible(page);
  plain(await sessionCookie(context)).toBeUndefined();
});

const pages = {
  confirm: async (link: string) => link,
  mistake: async (link: string) => new URL('/auth/verify?token=dl_unknown', link).href,
  broken: async (link: string) => new URL('/auth/verify', link).href,
  nowhere: async (link: string) => new URL('/assets/no-such-file', link).href,
};

for (const scheme of ['light', 'dark'] as const)
  for (const [size, viewport] of Object.entries({ phone: { width: 320, height: 568 }, desk: { width: 1280, height: 800 } }))
    test(`every page in ${scheme} on a ${size}`, async ({ browser, complaints, context, world }, info) => {
      const email = `${'long-'.repeat(11)}name@${'sub.'.repeat(12)}example.com`;
      const { link } = await world.ask(context, email);
      const here = await browser.newContext({
        colorScheme: scheme,
        viewport,
        storageState: await context.storageState(),
      });
      const other = await browser.newContext({ colorScheme: scheme, viewport });
      try {
        for (const [name, where] of [...Object.entries(pages), ['code', pages.confirm] as const]) {
          const page = await (name === 'code' ? other : here).newPage();
          listen(page, complaints);
          await page.goto(await where(link));
          await expect(page.locator('main')).toBeVisible();
          await expectFits(page);
          await expectAccessible(page);
          const ground = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
          plain(ground).toBe(scheme === 'light' ? 'rgb(244, 244, 245)' : 'rgb(19, 19, 22)');
          for (const target of await page.locator('button, a, input:visible').all())
            plain((await target.boundingBox())!.height).toBeGreaterThanOrEqual(44); // for thumbs
          await page.screenshot({ path: info.outputPath(`${name}.png`) });
        }
      } finally {
        await here.close();
        await other.close();
      }
    });
