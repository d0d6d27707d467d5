/** Projects and their people: invite, accept, change, remove; and what somebody takes along or deletes. */
import { readFileSync } from 'node:fs';
import { signIn } from '../console.js';
import { expect, expectAccessible, expectFits, listen, test } from '../fixtures.js';

test('somebody is invited by mail, works, sees less, and is removed', async ({ browser, context, page, world, complaints }) => {
  const { url } = world.server;
  await signIn(world, context, 'chief@example.com');
  await page.goto(`${url}/settings/members`);
  await page.getByLabel('E-mail address').fill('not an address');
  await page.getByRole('button', { name: 'Invite' }).click();
  await expect(page.getByLabel('E-mail address')).toHaveAttribute('aria-invalid', 'true');
  expect(complaints.splice(0)).toEqual([expect.stringContaining('status of 400')]);
  await page.getByLabel('E-mail address').fill('worker@example.com');
  await page.getByRole('button', { name: 'Invite' }).click();
  await expect(page.getByText('Invitations that wait')).toBeVisible();
  await expectAccessible(page);
  const mail = await world.mailbox.next('worker@example.com');

  const desk = await browser.newContext({ baseURL: url });
  try {
    await signIn(world, desk, 'worker@example.com');
    const other = await desk.newPage();
    listen(other, complaints);
    await other.goto(/https?:\S+\/invitations\S*/.exec(mail.text!)![0]);
    await expect(other.getByText('as developer')).toBeVisible();
    await expectAccessible(other);
    await other.getByRole('button', { name: /^Accept/ }).click();
    await expect(other.getByText(/^You are in /)).toBeVisible();
    await other.goto('/projects');
    await other.getByRole('button', { name: /^Switch to/ }).click();
    await expect(other.getByRole('heading', { level: 1, name: 'Dashboard' })).toBeVisible();
    await other.goto('/keys');
    await expect(other.getByRole('button', { name: 'Make a key' }).first()).toBeVisible();
    await other.goto('/settings/members');
    await expect(other.getByText('Invite somebody')).toHaveCount(0);
    await expect(other.getByRole('link', { name: 'Audit log' })).toHaveCount(0);

    await page.reload();
    await page.getByLabel('Role of worker@example.com').selectOption('viewer');
    await expect(page.getByText('worker@example.com is now viewer')).toBeVisible();
    await other.goto('/keys');
    await expect(other.getByRole('heading', { level: 1, name: 'API keys' })).toBeVisible();
    await expect(other.getByRole('button', { name: /Make a key|New key/ })).toHaveCount(0);

    await page.getByRole('button', { name: 'Actions for worker@example.com' }).click();
    await page.getByRole('menuitem', { name: 'Remove' }).click();
    await expect(page.getByLabel('Role of worker@example.com')).toHaveCount(0);
    await expect(async () => {
      const members = await context.request.get(`${url}/api/projects`);
      const { projects } = (await members.json()) as { projects: { id: string }[] };
      const list = await context.request.get(`${url}/api/projects/${projects[0]!.id}/members`);
      expect(((await list.json()) as { members: unknown[] }).members).toHaveLength(1);
    }).toPass();
    await other.goto('/projects');
    await expect(other.getByRole('main').getByRole('listitem')).toHaveCount(1); // their own is left
    await expect(other.getByText('Current')).toBeVisible();
  } finally {
    await desk.close();
  }
  await page.goto(`${url}/settings/audit`);
  await expect(page.getByRole('region', { name: 'Audit log' })).toContainText('member');
});

test('a project is made, renamed, switched to and deleted', async ({ context, page, world }) => {
  await signIn(world, context, 'builder@example.com');
  await page.goto(`${world.server.url}/projects`);
  await page.getByRole('button', { name: 'New project' }).click();
  await page.getByLabel('Name').fill('Second');
  await page.keyboard.press('Enter');
  await expect(page.getByRole('heading', { level: 1, name: 'Dashboard' })).toBeVisible();
  await expect(page.getByRole('link', { name: 'Project Second, change' })).toBeVisible();

  await page.getByRole('link', { name: 'Settings' }).click();
  await page.getByLabel('Name').fill('Renamed & <b>bold</b>');
  await page.getByRole('button', { name: 'Rename' }).click();
  await expect(page.getByRole('link', { name: 'Project Renamed & <b>bold</b>, change' })).toBeVisible();
  await page.getByRole('link', { name: /^Project / }).click();
  await page.getByRole('button', { name: /^Switch to/ }).click();
  await expect(page.getByRole('heading', { level: 1, name: 'Dashboard' })).toBeVisible();
  await page.getByRole('link', { name: /^Project / }).click();
  await page.getByRole('button', { name: 'Switch to Renamed & <b>bold</b>' }).click();
  await expect(page.getByRole('heading', { level: 1, name: 'Dashboard' })).toBeVisible();

  await page.getByRole('link', { name: 'Settings' }).click();
  await page.getByRole('button', { name: 'Delete the project…' }).click();
  const sure = page.getByRole('dialog');
  await expectAccessible(page);
  await expect(sure.getByRole('button', { name: 'Delete the project' })).toBeDisabled();
  await sure.getByRole('textbox').fill('renamed'); // not the word
  await expect(sure.getByRole('button', { name: 'Delete the project' })).toBeDisabled();
  await sure.getByRole('textbox').fill('Renamed & <b>bold</b>');
  await sure.getByRole('button', { name: 'Delete the project' }).click();
  await expect(page.getByText('The project is deleted')).toBeVisible();
  await expect(page).toHaveURL(/\/projects$/);
  await expect(page.getByRole('main').getByRole('listitem')).toHaveCount(1);
  await expect(page.getByText('Current')).toBeVisible();
});

test('another browser is signed out from here', async ({ browser, context, page, world, complaints }) => {
  await signIn(world, context, 'twice@example.com');
  const phone = await browser.newContext({ viewport: { width: 390, height: 844 } });
  try {
    await signIn(world, phone, 'twice@example.com');
    const other = await phone.newPage();
    listen(other, complaints);
    await other.goto(`${world.server.url}/keys?new=1`);
    await other.getByLabel('Name').fill('half a name');
    await page.goto(`${world.server.url}/settings/sessions`);
    await expect(page.getByText('This one')).toHaveCount(1);
    await page.getByRole('button', { name: /^End the session/ }).click();
    await expect(page.getByText('The session is ended')).toBeVisible();
    await other.getByRole('button', { name: 'Make the key' }).click();
    await expect(other.getByRole('heading', { name: 'Please sign in again' })).toBeVisible();
    await expectFits(other);
    await expectAccessible(other);
    complaints.splice(0, complaints.length, ...complaints.filter((line) => !/status of 401/.test(line)));
  } finally {
    await phone.close();
  }
});

test('an account is taken along, then deleted', async ({ context, page, world }) => {
  await signIn(world, context, 'leaving@example.com');
  await page.goto(`${world.server.url}/settings/account`);
  const [file] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name: 'Export' }).click()]);
  expect(file.suggestedFilename()).toBe('docle.json');
  expect(JSON.stringify(JSON.parse(readFileSync(await file.path(), 'utf8')))).toContain('leaving@example.com');

  await page.getByRole('button', { name: 'Delete the account…' }).click();
  await page.getByRole('dialog').getByRole('textbox').fill('leaving@example.com');
  await page.getByRole('dialog').getByRole('button', { name: 'Delete the account' }).click();
  await expect(page.getByRole('heading', { name: 'Sign in' })).toBeVisible();
  expect((await world.me(context)).status).toBe(401);
});
