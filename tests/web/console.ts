/** Steps that most journeys through the console begin with. */
import type { BrowserContext } from '@playwright/test';
import type { World } from './fixtures.js';

/** Signs the context in, by a mailed link, as the page of the link does it. */
export async function signIn(world: World, context: BrowserContext, email: string): Promise<void> {
  const { link } = await world.ask(context, email);
  const answer = await context.request.post(`${world.server.url}/auth/verify`, {
    headers: { Origin: world.server.url, 'Sec-Fetch-Site': 'same-origin' },
    data: { token: new URL(link).searchParams.get('token') },
  });
  if (!answer.ok()) throw new Error(`signing in: ${answer.status()} ${await answer.text()}`);
}
