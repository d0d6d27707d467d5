/** How much JavaScript a page makes a browser load, packed with gzip as most proxies would. */
import { request as plainRequest } from 'node:http';
import type { Page } from '@playwright/test';
import { expect, test } from '../fixtures.js';
import { signIn } from '../console.js';

const KB = 1000;

/** Bytes on the wire of one file. */
function packedSize(url: string): Promise<number> {
  return new Promise((done, failed) => {
    plainRequest(url, { headers: { 'Accept-Encoding': 'gzip' } }, (response) => {
      let size = 0;
      response.on('data', (piece: Buffer) => (size += piece.length));
      response.on('end', () => done(size));
    })
      .on('error', failed)
      .end();
  });
}

async function scriptsOf(page: Page, url: string): Promise<string[]> {
  const scripts = new Set<string>();
  page.on('response', (response) => {
    if (response.request().resourceType() === 'script') scripts.add(response.url());
  });
  await page.goto(url);
  await page.waitForLoadState('networkidle');
  return [...scripts];
}

for (const [path, most] of [
  ['/login', 90 * KB],
  ['/playground', 260 * KB],
] as const) {
  test(`${path} loads at most ${most / KB} KB of JavaScript`, async ({ context, page, world }) => {
    if (path !== '/login') await signIn(world, context, 'budget@example.com');
    const scripts = await scriptsOf(page, `${world.server.url}${path}`);
    expect(scripts.length).toBeGreaterThan(1);
    const sizes = await Promise.all(scripts.map(packedSize));
    const sum = sizes.reduce((all, size) => all + size, 0);
    console.log(`${path}: ${(sum / KB).toFixed(1)} KB in ${scripts.length} scripts`);
    expect(sum).toBeLessThanOrEqual(most);
  });
}

test('no page asks anybody but its server', async ({ context, page, world }) => {
  await signIn(world, context, 'private@example.com');
  const elsewhere: string[] = [];
  page.on('request', (request) => {
    if (!request.url().startsWith(`${world.server.url}/`) && !/^(data|blob):/.test(request.url())) elsewhere.push(request.url());
  });
  for (const path of ['/login', '/dashboard', '/playground', '/runs', '/keys', '/usage', '/docs', '/settings']) {
    await page.goto(`${world.server.url}${path}`);
    await page.waitForLoadState('networkidle');
  }
  expect(elsewhere).toEqual([]);
});
