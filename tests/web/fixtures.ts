/** What every journey has: a server with a mail server, and pages that must stay silent. */
import { AxeBuilder } from '@axe-core/playwright';
import { type BrowserContext, type Page, test as base, expect } from '@playwright/test';
import { createServer } from 'node:net';
import { linkOf, Mailbox } from './mailbox.js';
import { Server } from './server.js';

/** The port has to be known beforehand: app.url names it in the links. */
async function freePort(): Promise<number> {
  return new Promise((done, failed) => {
    const probe = createServer().on('error', failed);
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as { port: number };
      probe.close(() => done(port));
    });
  });
}

export interface Asked {
  /** What the asking browser shows. */
  code: string;
  link: string;
}

export class World {
  constructor(
    readonly server: Server,
    readonly mailbox: Mailbox,
  ) {}

  /** Asks for a link as a page of the site does; cookies stay with the context. */
  async ask(context: BrowserContext, email: string): Promise<Asked> {
    const answer = await context.request.post(`${this.server.url}/auth/magic-link`, {
      headers: { Origin: this.server.url, 'Sec-Fetch-Site': 'same-origin' },
      data: { email },
    });
    expect(answer.status(), await answer.text()).toBe(200);
    const { code } = (await answer.json()) as { code: string };
    return { code, link: linkOf(await this.mailbox.next(email)) };
  }

  /** The link of the mail that is on its way to the address. */
  async link(email: string): Promise<string> {
    return linkOf(await this.mailbox.next(email));
  }

  async close(): Promise<void> {
    await this.server.stop();
    await this.mailbox.close();
  }

  async me(context: BrowserContext): Promise<{ status: number; email?: string }> {
    const answer = await context.request.get(`${this.server.url}/auth/me`);
    const body = (await answer.json()) as { user?: { email: string } };
    return { status: answer.status(), email: body.user?.email };
  }
}

/** A server of its own, with a mail server, for what needs other flags. */
export async function openWorld(flags: string[] = [], env: NodeJS.ProcessEnv = {}): Promise<World> {
  const port = await freePort();
  const mailbox = await new Mailbox().open();
  const server = new Server(
    [
      ...['--listen', `127.0.0.1:${port}`, '--app-url', `http://127.0.0.1:${port}`],
      ...['--mail-from', 'Docle <no-reply@mail.example>', '--smtp-url', mailbox.url, '--smtp-plain', 'yes'],
      ...['--auth-signup', 'open', '--auth-links-per-client', '0', '--auth-links-per-address', '0'],
      ...flags,
    ],
    env,
  );
  const world = new World(server, mailbox);
  try {
    await server.start();
  } catch (error) {
    await world.close();
    throw error;
  }
  return world;
}

/** Whatever a browser complains of: policy violations, scripts, what could not be loaded. A
 *  document's own status is no complaint. */
export function listen(page: Page, complaints: string[]): void {
  page.on('console', (message) => {
    const own = message.location().url.split('#')[0] === page.url().split('#')[0];
    if (!(own && /^Failed to load resource: .* status of (400|403|404)/.test(message.text())))
      complaints.push(`${message.type()}: ${message.text()}`);
  });
  page.on('pageerror', (error) => complaints.push(`error: ${error.message}`));
  page.on('requestfailed', (request) => {
    const why = request.failure()?.errorText;
    if (why !== 'net::ERR_ABORTED') complaints.push(`failed: ${request.url()}: ${why}`); // a page that is left asks no more
  });
}

/** No violation of what axe knows, by WCAG 2.2 AA and best practice. */
export async function expectAccessible(page: Page): Promise<void> {
  const { violations } = await new AxeBuilder({ page }).analyze();
  expect(violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(' ')}`)).toEqual([]);
}

/** Nothing is cut off or needs scrolling sideways. */
export async function expectFits(page: Page): Promise<void> {
  const { wide, room } = await page.evaluate(() => ({
    wide: document.documentElement.scrollWidth,
    room: document.documentElement.clientWidth,
  }));
  expect(wide).toBeLessThanOrEqual(room);
}

export const test = base.extend<{ complaints: string[]; silence: void }, { world: World }>({
  world: [
    async ({}, use) => {
      const world = await openWorld();
      try {
        await use(world);
      } finally {
        await world.close();
      }
    },
    { scope: 'worker', timeout: 180_000 },
  ],
  complaints: async ({}, use) => {
    await use([]);
  },
  silence: [
    async ({ context, complaints }, use) => {
      context.on('page', (page) => listen(page, complaints));
      await use();
      expect(complaints).toEqual([]);
    },
    { auto: true },
  ],
});

export { expect };
